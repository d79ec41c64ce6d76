"""How a metric is declared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A Prometheus metric. `name` has its unit at the end (`_seconds`, `_bytes`; `_total` for counters); `buckets` are upper
    bounds of a histogram."""

    name: str
    kind: Literal["counter", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
