"""Prometheus metrics: declared first, then counted; right under one process and under several.

With several processes the environment variable PROMETHEUS_MULTIPROC_DIR names a directory that all of them share; it
must be set before prometheus_client is imported (`mediaflow up`, gunicorn.conf.py and the worker's command see to it).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.multiprocess import mark_process_dead as _mark_process_dead
from prometheus_client.registry import Collector

from mediaflow.domain.suggest import suggestion
from mediaflow.observability.core_metrics import CORE_METRICS, WORK_BUCKETS
from mediaflow.plugin import ConfigurationError, MetricSpec

MULTIPROCESS_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
RESERVED_BYTES: Final = 262_144
"""Of each of a process's files: several times what they grew to."""


class PrometheusMetrics:
    """Implements `services.ports.Metrics` for the core's metrics and for those of `plugin_specs`.

    Raises ConfigurationError for a name that is declared twice.
    """

    def __init__(self, plugin_specs: Iterable[MetricSpec] = (), registry: CollectorRegistry | None = None) -> None:
        self.registry: Final = registry or CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        # `_created` series exist in one process only: without them both modes show the same series
        disable_created_metrics()  # type: ignore[no-untyped-call]
        _reserve_files()
        for spec in (*CORE_METRICS, *plugin_specs):
            self._declare(spec)

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter. Raises ValueError for a name or labels that were not declared: a slip of the caller."""
        counter = self._counters.get(name)
        if counter is None:
            raise ValueError(f"no counter is called {name!r}{suggestion(name, self._counters)}")
        (counter.labels(**labels) if labels else counter).inc(amount)

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Add a value to a histogram. Raises ValueError for a name or labels that were not declared."""
        histogram = self._histograms.get(name)
        if histogram is None:
            raise ValueError(f"no histogram is called {name!r}{suggestion(name, self._histograms)}")
        (histogram.labels(**labels) if labels else histogram).observe(value)

    def _declare(self, spec: MetricSpec) -> None:
        if spec.name in self._counters or spec.name in self._histograms:
            raise ConfigurationError(f"the metric {spec.name!r} is declared twice; rename one")
        if spec.kind == "counter":
            counter = Counter(spec.name, spec.help, spec.labels, registry=self.registry)
            self._counters[spec.name] = counter
        else:
            buckets = spec.buckets or WORK_BUCKETS
            histogram = Histogram(spec.name, spec.help, spec.labels, buckets=buckets, registry=self.registry)
            self._histograms[spec.name] = histogram
        for values in spec.initial:
            (self._counters.get(spec.name) or self._histograms[spec.name]).labels(*values)


def _reserve_files() -> None:
    """Take the room of this process's shared files now. ConfigurationError when there is none.

    prometheus_client maps them with holes: the first count on a full disk ended the process by SIGBUS (seen).
    """
    directory = os.environ.get(MULTIPROCESS_VARIABLE)
    for kind in ("counter", "histogram") if directory else ():
        path = Path(directory or "", f"{kind}_{os.getpid()}.db")  # its names, as of 0.26
        try:
            if not path.exists():
                _make_reserved(path)
        except OSError as error:
            raise ConfigurationError(f"{path}: {error.strerror}; metrics are kept there: make room for them") from error


def _make_reserved(path: Path) -> None:
    """A file of zeros that appears whole: a scrape that reads an empty one is answered with a 500 (seen)."""
    beginning = path.with_suffix(".new")
    try:
        with beginning.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, RESERVED_BYTES)
        beginning.rename(path)
    finally:
        beginning.unlink(missing_ok=True)


def exposed_registry(own: CollectorRegistry, *more: Collector) -> CollectorRegistry:
    """What a scrape sees: all processes' metrics when they share a directory, else this process's own; and `more`."""
    directory, registry = os.environ.get(MULTIPROCESS_VARIABLE), own
    if directory:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=directory)  # type: ignore[no-untyped-call]
    for collector in more:
        registry.register(collector)
    return registry


def mark_process_dead(pid: int) -> None:
    """Forget the live gauges of a process that ended; its counters stay, because what they count did happen."""
    directory = os.environ.get(MULTIPROCESS_VARIABLE)
    if directory:
        _mark_process_dead(pid, path=directory)  # type: ignore[no-untyped-call]
