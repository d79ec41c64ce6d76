"""Keeping a claimed task while it runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from mediaflow.domain.errors import LeaseLost
from mediaflow.domain.records import Task
from mediaflow.domain.states import LEASE_RENEW_SECONDS, LEASE_SECONDS
from mediaflow.services.pipeline.claims import Claims
from mediaflow.services.ports import Increment

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Lease:
    """Keeps a claimed task alive from a thread of its own while it runs, and writes its progress along. Each second
    it looks at least whether the task is still its own: a cancel or a delete ends the work at once.

    `reason` becomes the reason to stop, as soon as there is one: the lease was lost, or the process is shutting down.
    """

    claims: Claims
    task: Task
    stopping: Callable[[], bool]
    fraction: float = 0.0
    lost: bool = False
    _charged_at: float = field(default_factory=time.monotonic)
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

    def charge(self) -> Increment:
        """What to add to the task's `seconds`: the time of cores since the last charge."""
        now = time.monotonic()
        since, self._charged_at = now - self._charged_at, now
        return Increment(since * max(1, self.task.load_units))

    def _keep(self) -> None:
        beat, written, since_renewal = 1.0, 0.0, 0.0
        while not self._ended.wait(beat):
            since_renewal += beat
            try:
                if self.fraction == written and since_renewal < LEASE_RENEW_SECONDS:
                    self.claims.check(self.task)
                    continue
                until = self.claims.database.now() + LEASE_SECONDS
                self.claims.write(
                    self.task, {"lease_until": until, "progress": self.fraction, "seconds": self.charge()}
                )
                written, since_renewal = self.fraction, 0.0
            except LeaseLost:
                self.lost = True
                return
            except Exception:  # noqa: BLE001 - a database that is away for a moment is no reason to lose the work
                _log.warning("lease not renewed", task_id=self.task.id, exc_info=True)
