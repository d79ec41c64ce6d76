"""The periodic work of plugins: each done by one worker at a time, in a thread of its own.

The turn of each work is a document. A worker takes it by moving `due_at` as far on as the work may take, so that
nobody else begins it meanwhile, and when the worker dies, somebody does then: at once if he sees it die. What comes
every few seconds keeps its turn for a while, so that an idle machine is not written to each second.
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
from mediaflow.sandbox.identity import Identity
from mediaflow.services.ports import Database, Metrics, Plugins

_log = structlog.get_logger(__name__)
RUNS: Final = "mediaflow_periodic_runs_total"
SPARE_SECONDS: Final = 5.0
"""Added to what a work may take at most, for the end to be recorded."""
HOLD_SECONDS: Final = 10.0
"""Work that comes more often than this keeps its turn so long beyond what it may take."""


@dataclass(slots=True)
class _Running:
    """What was begun here last. `turn` is as it was taken, `began_at` by the clock of the database."""

    thread: threading.Thread
    turn: Turn
    began_at: float
    gives_up_at: float
    told: bool = False


@dataclass(frozen=True, slots=True)
class Rota:
    """What this worker does of it. `look` is called again and again, by one thread.

    `own` is who the worker is (None: the system does not tell).
    """

    database: Database
    plugins: Plugins
    metrics: Metrics
    worker: str
    own: Identity | None = None
    _running: dict[str, _Running] = field(default_factory=dict)

    def look(self) -> None:
        """Begin what is due and nobody does, and say what takes too long. Waits for nothing but the database."""
        free = list(self._free())
        now = self.database.now() if free else 0.0
        free = [periodic for periodic in free if not self._goes_on(periodic, now)]
        if not free:
            return
        turns = {turn.id: turn for turn in self.database.turns.find({})}
        for periodic in free:
            turn = turns.get(periodic.name)
            if turn is None:
                turn = Turn(id=periodic.name, due_at=now)
                if not self.database.turns.insert(turn):
                    continue  # somebody else did, and has taken it by now
            if turn.due_at <= now or self._is_left(turn):
                self._take(periodic, turn, now)

    def close(self, seconds: float) -> None:
        """Wait for what runs here to end, at most so long, and leave the turns that are kept to others."""
        self.wait(seconds)
        for name, running in self._running.items():
            if not running.thread.is_alive() and _is_kept(self.plugins.periodics[name]):
                due = {"due_at": running.began_at + self.plugins.periodics[name].every_seconds}
                self.database.turns.change(name, {"rev": running.turn.rev}, due)

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

    def _goes_on(self, periodic: Periodic, now: float) -> bool:
        """True while the turn is kept here: its work is begun when it is due, and no document needs to be asked."""
        running = self._running.get(periodic.name)
        if running is None or not _is_kept(periodic) or now + _longest(periodic) > running.turn.due_at:
            return False
        if now >= running.began_at + periodic.every_seconds:
            self._begin(periodic, running.turn, now)
        return True

    def _is_left(self, turn: Turn) -> bool:
        """Whether it is our own, to be kept on, or that of a worker that is seen to be dead."""
        running = self._running.get(turn.id)
        is_own = running is not None and _is_kept(self.plugins.periodics[turn.id]) and running.turn.rev == turn.rev
        return is_own or (self.own is not None and self.own.sees_the_end_of(turn.worker))

    def _take(self, periodic: Periodic, turn: Turn, now: float) -> None:
        until = now + _longest(periodic) + (HOLD_SECONDS if _is_kept(periodic) else 0.0)
        changes = {"due_at": until, "worker": self.worker, "began_at": now}
        taken = self.database.turns.change(periodic.name, {"rev": turn.rev}, changes)
        if taken is not None:
            self._begin(periodic, taken, now)

    def _begin(self, periodic: Periodic, turn: Turn, now: float) -> None:
        thread = threading.Thread(
            target=self._run, args=(periodic, turn), name=f"periodic-{periodic.name}", daemon=True
        )
        gives_up_at = time.monotonic() + periodic.limit_seconds
        self._running[periodic.name] = _Running(thread, turn, now, gives_up_at)
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
        if _is_kept(periodic) or next_at >= turn.due_at:
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


def _longest(periodic: Periodic) -> float:
    return max(periodic.every_seconds, periodic.limit_seconds + SPARE_SECONDS)


def _is_kept(periodic: Periodic) -> bool:
    return periodic.every_seconds < HOLD_SECONDS
