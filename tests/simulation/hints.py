"""The queue of a history."""

from __future__ import annotations

from dataclasses import dataclass, field

from greenlet import getcurrent

from mediaflow.domain.states import Stage
from tests.simulation.faults import Faults
from tests.simulation.scheduler import FOREVER, Actor, Process, Scheduler


@dataclass
class Hints:
    """The queue: hints that were sent and not taken yet. Some get lost, some come twice, in any order."""

    faults: Faults
    scheduler: Scheduler
    waiting: list[str | None] = field(default_factory=list)
    """Ids of uploads to assemble; None says that there may be tasks."""
    idle: list[Actor] = field(default_factory=list)
    """Who waits for a hint."""

    def wake(self, stage: Stage, task_id: str) -> None:
        self._send(None)

    def wake_assembly(self, upload_id: str) -> None:
        self._send(upload_id)

    def _send(self, hint: str | None) -> None:
        rng = self.scheduler.rng
        if rng.random() < self.faults.hint_lost:
            return
        for _ in range(1 + (rng.random() < self.faults.hint_twice)):
            self.waiting.append(hint)
            if self.idle:
                woken = self.idle.pop(rng.randrange(len(self.idle)))
                self.scheduler.wake(woken, rng.choice((0.01, 0.3)))

    def take(self, process: Process) -> str | None:
        """Any of them, waited for."""
        while not self.waiting:
            self.idle.append(self.scheduler.actors[getcurrent()])
            process.sleep(FOREVER)
        return self.waiting.pop(self.scheduler.rng.randrange(len(self.waiting)))
