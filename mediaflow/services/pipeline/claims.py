"""Claiming tasks from the documents: the best one that this worker can carry, with a lease and a fencing token."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from mediaflow.domain.errors import LeaseLost
from mediaflow.domain.records import Task
from mediaflow.domain.states import LEASE_SECONDS, STAGES, Lane, Stage
from mediaflow.services.pipeline.gate import LoadGate
from mediaflow.services.pipeline.pausing import Pausing
from mediaflow.services.pipeline.recency import Recency
from mediaflow.services.ports import Below, Database, Increment, OneOf

CANDIDATES: Final = 32
"""So many tasks of an owner are tried, those whose turn is next; the others' time comes."""
OWNERS: Final = 32
"""So many owners are compared, any of those who wait when there are more."""
CLAIM_SECONDS: Final = 0.1
"""What a claim costs its owner at once, so that owners of tasks that are over in no time take turns as well."""
PATIENCE_SECONDS: Final = 60.0
"""A task that needs more units than are free waits so long before smaller ones stop passing it."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims, renews and gives back tasks. `worker` names this process in the documents, `place` where it lives."""

    database: Database
    gate: LoadGate
    worker: str
    place: str | None = None
    recency: Recency = field(default_factory=Recency)

    @property
    def pausing(self) -> Pausing:
        """Whether anything may be claimed."""
        return Pausing(self.database)

    def best(self, *stages: Stage) -> Task | None:
        """Claim the best task (of these stages, or of all) that this process can carry now; None when there is none.

        Bookkeeping comes before what loads a core. Then: by priority; from the owner who received least of late; of
        that owner's, what belongs to the job that is done soonest, less the time that it has waited already. So a long
        job starves nobody, and nothing waits for ever. The caller gives the load units back (`done_with`).
        """
        if self.pausing.is_paused():
            return None
        for lane in self.gate.lanes():
            for tasks in self._waiting(lane, stages or STAGES):
                if (claimed := self._first(tasks)) is not None:
                    return claimed
        return None

    def _first(self, tasks: list[Task]) -> Task | None:
        """The first of these that this process can carry and nobody else takes, claimed."""
        while tasks:
            task = tasks.pop(0)
            if not self.gate.take(task):
                if self.database.now() - task.created_at > PATIENCE_SECONDS and task.load_units > 1:
                    self.gate.keep_room_for(task)
            elif (claimed := self._taken(task)) is not None:
                return claimed
            else:
                # Whoever was faster, and all who were not, have the same list. Without this they meet at the next one
                # again, and so on: a thousand workers lost 32 claims for each that they won, and found nothing.
                random.shuffle(tasks)
        return None

    def _waiting(self, lane: Lane, stages: tuple[Stage, ...]) -> Iterator[list[Task]]:
        """The tasks of a lane that could be claimed, some of one owner at a time, best first, looked up as far as they
        are asked for.
        """
        now = self.database.now()
        if lane == "bookkeeping" and not self.gate.probes_pass:
            # a hundred uploads that wait to be looked at hide nobody's last step
            stages = tuple(stage for stage in stages if stage != "probe")
        where: dict[str, Any] = {
            "state": "pending",
            "ready": True,
            "lane": lane,
            "stage": OneOf(stages),
            # what is due at this very moment is due
            "not_before": Below(now + 0.001),
        }
        while top := self.database.tasks.find(where, sort=("-priority",), limit=1):
            level = {**where, "priority": top[0].priority}
            for owner in self._owners(level, lane, now):
                # by an index, so that it costs the same however many wait, and none is hidden behind older ones
                found = self.database.tasks.find({**level, "owner": owner}, sort=("turn",), limit=CANDIDATES)
                yield sorted(found, key=lambda task: (task.turn, -task.weight))
            where["priority"] = Below(top[0].priority)

    def _owners(self, where: dict[str, Any], lane: Lane, now: float) -> list[str]:
        """Who waits, first the one who received least of this lane's work of late; whoever it is among equals."""
        owners = self.database.tasks.distinct("owner", where)
        if len(owners) < 2:
            return owners
        compared = random.sample(owners, min(OWNERS, len(owners)))
        recent = {"owner": OneOf(tuple(compared)), "lane": lane, "started_at": self.recency.since(lane, now)}
        received = self.database.tasks.sums("seconds", "owner", recent)
        self.recency.read(lane, sum(each.count for each in received.values()))
        return sorted(compared, key=lambda owner: received[owner].total if owner in received else 0.0)

    def _taken(self, task: Task) -> Task | None:
        """The task, claimed; its load units go back when it is not, for whatever reason."""
        claimed = None
        try:
            claimed = self._claim(task)
        finally:
            if claimed is None:
                self.gate.give_back(task)
        return claimed

    def _claim(self, task: Task) -> Task | None:
        now = self.database.now()
        expect = {"state": "pending", "attempt": task.attempt}
        changes = {
            "state": "running",
            "attempt": Increment(1),
            "seconds": Increment(CLAIM_SECONDS),
            "lease_until": now + LEASE_SECONDS,
            "worker": self.worker,
            "place": self.place,
            "started_at": now,
            "updated_at": now,
            "progress": 0.0,
        }
        return self.database.tasks.change(task.id, expect, changes)

    def done_with(self, task: Task) -> None:
        """Give the task's load units back."""
        self.gate.give_back(task)

    def check(self, task: Task) -> None:
        """LeaseLost when this worker does not hold the task any more: it was cancelled, or another has it."""
        now = self.database.tasks.peek(task.id, ("state", "attempt"))
        if now != {"state": "running", "attempt": task.attempt}:
            raise LeaseLost(f"{task.name} is not held by this worker any more")

    def write(self, task: Task, changes: dict[str, Any]) -> Task:
        """Change a task that this worker holds; LeaseLost when it does not hold it any more."""
        expect = {"state": "running", "attempt": task.attempt}
        written = self.database.tasks.change(task.id, expect, {"updated_at": self.database.now(), **changes})
        if written is None:
            raise LeaseLost(f"{task.name} is not held by this worker any more")
        return written
