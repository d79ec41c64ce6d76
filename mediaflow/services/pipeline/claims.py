"""Claiming tasks from the documents: the best one that this worker can carry, with a lease and a fencing token."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

from mediaflow.domain.errors import LeaseLost
from mediaflow.domain.records import Task
from mediaflow.domain.states import LEASE_RENEW_SECONDS, LEASE_SECONDS, Stage
from mediaflow.services.ports import Database, Increment

_log = structlog.get_logger(__name__)
CANDIDATES = 64


class LoadGate:
    """How many load units (cores) of this process are free. A task larger than all of them runs alone."""

    def __init__(self, units: int) -> None:
        self._units, self._used, self._lock = units, 0, threading.Lock()

    def take(self, units: int) -> bool:
        """Reserve the units; False when they are not free."""
        with self._lock:
            if units > 0 and self._used > 0 and self._used + units > self._units:
                return False
            self._used += units
            return True

    def give_back(self, units: int) -> None:
        with self._lock:
            self._used -= units

    @property
    def idle(self) -> bool:
        return self._used == 0


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims, renews and gives back tasks. `worker` names this process in the documents."""

    database: Database
    gate: LoadGate
    worker: str

    def best(self, stage: Stage) -> Task | None:
        """Claim the best task of the stage: by priority, then from the owner with the least running, then by age.

        The caller gives the load units back (`done_with`).
        """
        now = self.database.now()
        where: dict[str, Any] = {"state": "pending", "ready": True, "stage": stage}
        pending = self.database.tasks.find(where, sort=("-priority", "created_at"), limit=CANDIDATES)
        due = [task for task in pending if task.not_before <= now]
        if len(due) > 1:
            running = Counter(task.owner for task in self.database.tasks.find({"state": "running"}))
            due.sort(key=lambda task: (-task.priority, running[task.owner], task.created_at))
        for task in due:
            if self.gate.take(task.load_units):
                claimed = self._claim(task, now)
                if claimed is not None:
                    return claimed
                self.gate.give_back(task.load_units)
        return None

    def _claim(self, task: Task, now: float) -> Task | None:
        expect = {"state": "pending", "attempt": task.attempt}
        changes = {
            "state": "running",
            "attempt": Increment(1),
            "failures": Increment(1),  # a crash counts; a graceful end takes it back
            "lease_until": now + LEASE_SECONDS,
            "worker": self.worker,
            "started_at": now,
            "updated_at": now,
            "progress": 0.0,
        }
        return self.database.tasks.change(task.id, expect, changes)

    def done_with(self, task: Task) -> None:
        """Give the task's load units back."""
        self.gate.give_back(task.load_units)

    def write(self, task: Task, changes: dict[str, Any]) -> Task:
        """Change a task that this worker holds; LeaseLost when it does not hold it any more."""
        expect = {"state": "running", "attempt": task.attempt}
        written = self.database.tasks.change(task.id, expect, {"updated_at": self.database.now(), **changes})
        if written is None:
            raise LeaseLost(f"{task.name} is not held by this worker any more")
        return written


@dataclass(slots=True)
class Lease:
    """Keeps a claimed task alive from a thread of its own while it runs, and writes its progress along.

    `reason` becomes the reason to stop, as soon as there is one: the lease was lost, or the process is shutting down.
    """

    claims: Claims
    task: Task
    stopping: Callable[[], bool]
    fraction: float = 0.0
    lost: bool = False
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Lease:
        self._thread = threading.Thread(target=self._keep, name=f"lease-{self.task.name}", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def progress(self, fraction: float) -> None:
        """Remember how far the work is; the keeper writes it at its next beat."""
        self.fraction = max(0.0, min(1.0, fraction))

    def reason(self) -> str | None:
        """Why the work must stop now, or None."""
        if self.lost:
            return "the task is not this worker's any more"
        return "the worker is shutting down" if self.stopping() else None

    def _keep(self) -> None:
        beat, written, since_renewal = 1.0, 0.0, 0.0
        while not self._ended.wait(beat):
            since_renewal += beat
            if self.fraction == written and since_renewal < LEASE_RENEW_SECONDS:
                continue
            try:
                until = self.claims.database.now() + LEASE_SECONDS
                self.claims.write(self.task, {"lease_until": until, "progress": self.fraction})
                written, since_renewal = self.fraction, 0.0
            except LeaseLost:
                self.lost = True
                return
            except Exception:  # noqa: BLE001 - a database that is away for a moment is no reason to lose the work
                _log.warning("lease not renewed", task_id=self.task.id, exc_info=True)
