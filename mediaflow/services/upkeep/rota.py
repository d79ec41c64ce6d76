"""The periodic work of plugins: each done by one worker at a time, in a thread of its own.

The turn of each work is a document. A worker takes it by moving `due_at` as far on as the work may take, so that
nobody else begins it meanwhile, and when the worker dies, somebody does then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import structlog

from mediaflow.domain.errors import MediaflowError
from mediaflow.domain.turns import Turn
from mediaflow.plugin import Periodic
from mediaflow.services.ports import Below, Database, Metrics, Plugins

_log = structlog.get_logger(__name__)
RUNS: Final = "mediaflow_periodic_runs_total"
SPARE_SECONDS: Final = 5.0
"""Added to what a work may take at most, for the end to be recorded."""


@dataclass(slots=True)
class _Running:
    thread: threading.Thread
    gives_up_at: float
    told: bool = False


@dataclass(frozen=True, slots=True)
class Rota:
    """What this worker does of it. `look` is called again and again, by one thread."""

    database: Database
    plugins: Plugins
    metrics: Metrics
    worker: str
    _running: dict[str, _Running] = field(default_factory=dict)

    def look(self) -> None:
        """Begin what is due and nobody does, and say what takes too long. Waits for nothing but the database."""
        free = list(self._free())
        if not free:
            return
        now = self.database.now()
        turns = {turn.id: turn for turn in self.database.turns.find({})}
        for periodic in free:
            turn = turns.get(periodic.name)
            if turn is None:
                turn = Turn(id=periodic.name, due_at=now)
                if not self.database.turns.insert(turn):
                    continue  # somebody else did, and has taken it by now
            if turn.due_at <= now:
                self._take(periodic, turn, now)

    def wait(self, seconds: float) -> None:
        """Wait for what runs here to end, at most so long."""
        until = time.monotonic() + seconds
        for running in self._running.values():
            running.thread.join(max(0.0, until - time.monotonic()))

    def _free(self) -> Iterable[Periodic]:
        """What does not run here."""
        for name, periodic in self.plugins.periodics.items():
            running = self._running.get(name)
            if running is None or not running.thread.is_alive():
                yield periodic
            elif not running.told and time.monotonic() > running.gives_up_at:
                running.told = True
                self._count(periodic, "overdue")
                _log.error("periodic work does not end", **self._names(periodic), limit_seconds=periodic.limit_seconds)

    def _take(self, periodic: Periodic, turn: Turn, now: float) -> None:
        until = now + max(periodic.every_seconds, periodic.limit_seconds + SPARE_SECONDS)
        changes = {"due_at": until, "worker": self.worker, "began_at": now}
        expect = {"rev": turn.rev, "due_at": Below(now + 0.001)}
        taken = self.database.turns.change(periodic.name, expect, changes)
        if taken is not None:
            thread = threading.Thread(
                target=self._run, args=(periodic, taken), name=f"periodic-{periodic.name}", daemon=True
            )
            self._running[periodic.name] = _Running(thread, time.monotonic() + periodic.limit_seconds)
            thread.start()

    def _run(self, periodic: Periodic, turn: Turn) -> None:
        try:
            self.plugins.run_periodic(periodic.name)
        except MediaflowError as error:
            self._count(periodic, "failed")
            _log.warning("periodic work failed", **self._names(periodic), detail=error.detail, exc_info=error.__cause__)
        else:
            self._count(periodic, "done")
        self._end(periodic, turn)

    def _end(self, periodic: Periodic, turn: Turn) -> None:
        next_at = (turn.began_at or 0.0) + periodic.every_seconds
        if next_at >= turn.due_at:
            return  # that is what it says already
        try:
            # at the revision that it was taken at: who came too late has nothing to say
            self.database.turns.change(turn.id, {"rev": turn.rev}, {"due_at": next_at})
        except MediaflowError as error:
            _log.warning("the end of periodic work is not recorded", **self._names(periodic), detail=error.detail)

    def _names(self, periodic: Periodic) -> dict[str, str]:
        return {"periodic": periodic.name, "plugin": self.plugins.plugin_of_periodic(periodic.name)}

    def _count(self, periodic: Periodic, outcome: str) -> None:
        self.metrics.count(RUNS, 1, outcome=outcome, **self._names(periodic))
