"""Keeping a claimed task while it runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog

from mediaflow.domain.errors import LeaseLost, Unavailable
from mediaflow.domain.records import Task
from mediaflow.domain.states import LEASE_RENEW_SECONDS, LEASE_SECONDS
from mediaflow.services.pipeline.claims import Claims
from mediaflow.services.ports import Increment

_log = structlog.get_logger(__name__)
BEAT_SECONDS: Final = 1.0


@dataclass(slots=True)
class Lease:
    """Keeps a claimed task alive while it runs, by its `beat`, and writes its progress along. Each beat looks at least
    whether the task is still its own: a cancel or a delete ends the work at once.

    `reason` becomes the reason to stop, as soon as there is one: the lease was lost, or the process is shutting down.
    """

    claims: Claims
    task: Task
    stopping: Callable[[], bool]
    elapsed: Callable[[], float] = time.monotonic
    fraction: float = 0.0
    lost: bool = False
    _written: float = 0.0
    _charged_at: float = field(init=False)
    _renewed_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._charged_at = self._renewed_at = self.elapsed()

    def progress(self, fraction: float) -> None:
        """Remember how far the work is; the next beat writes it."""
        self.fraction = max(0.0, min(1.0, fraction))

    def reason(self) -> str | None:
        """Why the work must stop now, or None."""
        if self.lost:
            return "the task is not this worker's any more"
        return "the worker is shutting down" if self.stopping() else None

    def charge(self) -> Increment:
        """What to add to the task's `seconds`: the time of cores since the last charge."""
        now = self.elapsed()
        since, self._charged_at = now - self._charged_at, now
        return Increment(since * max(1, self.task.load_units))

    def beat(self) -> bool:
        """Renew the lease when it is time, or when there is progress to tell; False when it was lost."""
        now, fraction = self.elapsed(), self.fraction
        try:
            if fraction == self._written and now - self._renewed_at < LEASE_RENEW_SECONDS:
                self.claims.check(self.task)
                return True
            until = self.claims.database.now() + LEASE_SECONDS
            self.claims.write(self.task, {"lease_until": until, "progress": fraction, "seconds": self.charge()})
            self._written, self._renewed_at = fraction, now
        except LeaseLost:
            self.lost = True
        except Unavailable as error:  # a database that is away for a moment is no reason to lose the work
            _log.warning("lease not renewed", task_id=self.task.id, reason=error.detail)
        except Exception:  # noqa: BLE001 - nor is anything else
            _log.warning("lease not renewed", task_id=self.task.id, exc_info=True)
        return not self.lost


Keeper = Callable[[Lease], AbstractContextManager[None]]
"""Beats every `BEAT_SECONDS` while the `with` block runs."""


@contextmanager
def in_thread(lease: Lease) -> Iterator[None]:
    """Keep a lease from a thread of its own."""
    ended = threading.Event()

    def keep() -> None:
        while not ended.wait(BEAT_SECONDS) and lease.beat():
            pass

    thread = threading.Thread(target=keep, name=f"lease-{lease.task.name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
