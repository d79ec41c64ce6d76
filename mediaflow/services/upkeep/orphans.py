"""Work whose worker died is given back: at once by whoever lives in the same place, else when its lease is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from mediaflow.domain.records import Task
from mediaflow.domain.states import MAX_ATTEMPTS
from mediaflow.domain.telling import sentence
from mediaflow.sandbox.identity import Identity, shown_worker
from mediaflow.services.ports import Database, Increment, Wakeups

_log = structlog.get_logger(__name__)
BATCH = 200


@dataclass(frozen=True, slots=True)
class Orphans:
    """Looks after the workers beside this process. `own` is who it is (None: the system does not tell).

    `last_words` answers with what is known of the end of a process, a part of a sentence (empty: nothing).
    """

    database: Database
    wakeups: Wakeups
    own: Identity | None
    last_words: Callable[[Identity], str]

    def give_back(self) -> None:
        """Give back what dead workers of this place held. One query each by an index when there are none."""
        if self.own is not None:
            self._tasks(self.own)
            self._assemblies(self.own)

    def _tasks(self, own: Identity) -> None:
        here = {"state": "running", "place": own.place}
        for name in self.database.tasks.distinct("worker", here):
            worker = Identity.parsed(name)
            # a task that an older version claimed names no place, whatever its document still says
            if worker is None or not own.sees_the_end_of(name):
                continue
            words = self.last_words(worker)
            for task in self.database.tasks.find({**here, "worker": name}, limit=BATCH):
                give_back(self.database, self.wakeups, task, {"worker": name}, words)

    def _assemblies(self, own: Identity) -> None:
        """Uploads that were being put together: whoever comes next may begin again."""
        underway = {"state": "assembling"}
        for name in self.database.uploads.distinct("worker", underway):
            if not own.sees_the_end_of(name):
                continue
            for upload in self.database.uploads.find({**underway, "worker": name}, limit=BATCH):
                free = {"lease_until": 0.0, "worker": None}
                if self.database.uploads.change(upload.id, {**underway, "worker": name}, free) is not None:
                    _log.warning("an upload's worker is gone", upload_id=upload.id, worker=name)
                    self.wakeups.wake_assembly(upload.id)


def give_back(
    database: Database, wakeups: Wakeups, task: Task, expect: Mapping[str, Any], words: str = ""
) -> Task | None:
    """Make a task of a worker that is gone claimable; None when it is not so any more. It counts as a failure.

    Not when the task had failed for good: that worker was about to write it down, and did not die of the task.
    """
    changes: dict[str, Any] = {"state": "pending", "lease_until": 0.0, "updated_at": database.now()}
    if task.failures < MAX_ATTEMPTS:
        changes |= {"failures": Increment(1), "error": _lost(task, words)}
    freed = database.tasks.change(task.id, {"state": "running", "attempt": task.attempt, **expect}, changes)
    if freed is not None:
        _log.warning("a task's worker is gone", task_id=task.id, worker=task.worker, attempt=task.attempt, words=words)
        wakeups.wake(freed.stage, freed.id)
    return freed


def _lost(task: Task, words: str) -> dict[str, Any]:
    what = words or "was gone before it renewed its lease"
    detail = f"The worker {shown_worker(task.worker or '')} {what} (attempt {task.attempt})."
    return {"code": "job.worker_lost", "detail": sentence(detail)}
