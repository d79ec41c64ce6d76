"""How a metric is declared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A Prometheus metric. `name` has its unit at the end (`_seconds`, `_bytes`; `_total` for counters).

    `buckets` are upper bounds of a histogram. `initial` are label values, in the order of `labels`, that are shown as 0
    from the start: no rate can be told from a series that only appears with its first count.
    """

    name: str
    kind: Literal["counter", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    initial: tuple[tuple[str, ...], ...] = ()


class Metrics(Protocol):
    """Counts by declared names: a plugin finds it in its context."""

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter. Raises ValueError for a name or labels that were not declared."""
        ...

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Add a value to a histogram. Raises ValueError for a name or labels that were not declared."""
        ...


class Uncounted:
    """Metrics of a process that keeps none."""

    def count(self, name: str, amount: float = 1, **labels: str) -> None: ...

    def observe(self, name: str, value: float, **labels: str) -> None: ...
