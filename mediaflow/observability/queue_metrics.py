"""The depth of the queue as gauges, looked up when they are scraped: no process has to keep them up to date."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from mediaflow.domain.errors import MediaflowError
from mediaflow.services.upkeep.depth import Depth

_log = structlog.get_logger(__name__)
KEPT_SECONDS: Final = 5.0
"""So often the documents are asked at most, however many scrape."""


class QueueCollector(Collector):
    """What waits and runs. `look` asks the documents; while they do not answer, there are no figures."""

    def __init__(self, look: Callable[[], Depth]) -> None:
        self._look = look
        self._depth: Depth | None = None
        self._looked = float("-inf")

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing is looked up when it is registered."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges."""
        depth = self._fresh()
        if depth is None:
            return
        labels = ("stage", "lane")
        waiting = GaugeMetricFamily("mediaflow_queue_waiting_tasks", "Tasks that could begin, and wait.", labels=labels)
        running = GaugeMetricFamily("mediaflow_queue_running_tasks", "Tasks that workers hold.", labels=labels)
        oldest = GaugeMetricFamily("mediaflow_queue_oldest_seconds", "Age of the oldest that waits.", labels=labels)
        for each in depth.stages:
            waiting.add_metric((each.stage, each.lane), each.waiting)
            running.add_metric((each.stage, each.lane), each.running)
            oldest.add_metric((each.stage, each.lane), each.oldest_seconds or 0.0)
        paused = GaugeMetricFamily("mediaflow_queue_paused", "1 while nothing new is begun.", value=float(depth.paused))
        yield from (waiting, running, oldest, paused)

    def _fresh(self) -> Depth | None:
        if time.monotonic() - self._looked >= KEPT_SECONDS:
            self._looked = time.monotonic()
            try:
                self._depth = self._look()
            except MediaflowError as error:
                _log.warning("the queue's depth can't be told", code=error.code, detail=error.detail)
                self._depth = None
        return self._depth
