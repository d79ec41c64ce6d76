"""Runs tasks: claim, do, record, unlock what follows. What each stage does is wired in `runtime/stages.py`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from mediaflow.domain.containment import contained
from mediaflow.domain.errors import LeaseLost, MediaflowError, MediaRejected, Unavailable
from mediaflow.domain.events import Event
from mediaflow.domain.records import Task
from mediaflow.domain.states import MAX_ATTEMPTS, Stage
from mediaflow.domain.telling import error_document, sentence
from mediaflow.services.events.telling import telling
from mediaflow.services.pipeline.claims import Claims
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.pipeline.lease import Keeper, Lease, in_thread
from mediaflow.services.pipeline.retries import seconds_to_next
from mediaflow.services.ports import Increment, Metrics

_log = structlog.get_logger(__name__)
END_SECONDS: Final = 600.0
"""So long a task that has ended waits for a database that is away."""
AGAIN_SECONDS: Final = 1.0

StageHandler = Callable[[Task, Lease], dict[str, Any]]
"""Does a claimed task and returns its result. Raises MediaRejected (final), LeaseLost, or anything else (retried)."""


@dataclass(frozen=True, slots=True)
class Execution:
    """One worker process's hands. `stopping` gives back what runs; `draining` lets it be done and begins nothing.

    `keeper` keeps the lease of what runs; `elapsed` is a clock that never goes back, `pause` waits for so many seconds.
    """

    claims: Claims
    jobs: Jobs
    metrics: Metrics
    handlers: Mapping[Stage, StageHandler]
    stopping: Callable[[], bool]
    draining: Callable[[], bool] = lambda: False
    keeper: Keeper = in_thread
    elapsed: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    def work(self, *stages: Stage) -> int:
        """Run the best task that this process can carry, of all stages or only these, until none is left.

        The answer is how many ran. What follows a task is claimed like any other: its worker goes on with it unless
        something else has a better claim.
        """
        count = 0
        while self._may_begin() and (task := self.claims.best(*stages)) is not None:
            try:
                self._run(task)
            finally:
                self.claims.done_with(task)
            count += 1
        return count

    def _may_begin(self) -> bool:
        return not (self.stopping() or self.draining())

    def _run(self, task: Task) -> None:
        ids = {"task_id": task.id, "job_id": task.job_id, "asset_id": task.asset_id}
        with structlog.contextvars.bound_contextvars(**ids):
            started = self.elapsed()
            outcome = self._attempt(task)
            seconds = self.elapsed() - started
            _log.info("task ended", task=task.name, attempt=task.attempt, outcome=outcome, seconds=round(seconds, 3))
            self.metrics.count("mediaflow_tasks_total", stage=task.stage, outcome=outcome)
            self.metrics.observe("mediaflow_task_seconds", seconds, stage=task.stage)
            self.jobs.advance(task.job_id)

    def _attempt(self, task: Task) -> str:
        """Do the task once; the outcome as a word."""
        lease = Lease(self.claims, task, self.stopping, self.elapsed)
        with self.keeper(lease):
            if task.failures >= MAX_ATTEMPTS:  # each of its workers died of it
                return self._end(lease, {"state": "failed", "error": _poison(task)}, "failed")
            if 0 < task.wanted_until < self.claims.database.now():
                return self._end(lease, {"state": "cancelled"}, "unwanted")
            try:
                with contained():
                    result = self.handlers[task.stage](task, lease)
            except LeaseLost:
                return "lost" if lease.lost or not self.stopping() else self._release(lease)
            except MediaRejected as error:
                return self._end(lease, {"state": "failed", "error": _document(error)}, "rejected")
            except Exception as error:  # noqa: BLE001 - whatever a step or a backend raises is recorded and tried again
                return self._failed(lease, error)
            return self._end(lease, {"state": "done", "result": result, "error": None, "progress": 1.0}, "done")

    def _failed(self, lease: Lease, error: Exception) -> str:
        if lease.reason() is not None:  # stopped by us: not the task's fault
            return self._release(lease)
        task, document = lease.task, _document(error)
        trace = None if isinstance(error, MediaflowError) else error  # ours say it in a sentence
        _log.warning("task failed", task=task.name, attempt=task.attempt, exc_info=trace, **document)
        counted = {"error": document, "failures": Increment(1)}
        wait = seconds_to_next(task.failures + 1, task.error, document, optional=task.optional)
        if wait is None:
            return self._end(lease, {"state": "failed", **counted}, "failed")
        later = {"state": "pending", **counted, "not_before": self.claims.database.now() + wait}
        return self._end(lease, later, "retried")

    def _release(self, lease: Lease) -> str:
        """Give it back as it was: the next worker begins at once."""
        return self._end(lease, {"state": "pending"}, "released")

    def _end(self, lease: Lease, changes: dict[str, Any], outcome: str) -> str:
        """Write a task's end; when the database is away, as soon as it is back: hours of work may hang on it."""
        give_up_at, changes = self.elapsed() + END_SECONDS, {**changes, "seconds": lease.charge()}
        while True:
            try:
                return self._ended(lease, changes, outcome)
            except LeaseLost:
                return "lost"
            except Unavailable as error:
                if self.stopping() or self.elapsed() > give_up_at:
                    raise
                _log.warning("a task's end waits for the database", task=lease.task.name, detail=error.detail)
                self.pause(AGAIN_SECONDS)

    def _ended(self, lease: Lease, changes: dict[str, Any], outcome: str) -> str:
        ended = {"lease_until": 0.0} if changes["state"] == "pending" else {"finished_at": self.claims.database.now()}
        changes = {**changes, **ended}
        events = (_failure(lease.task, changes),) if changes["state"] == "failed" else ()
        self.claims.write(lease.task, changes | telling(*events))
        if events:
            self.jobs.outbox.tell(self.claims.database.tasks, lease.task.id)
        return outcome


def _failure(task: Task, ended: dict[str, Any]) -> Event:
    data = {
        **ended["error"],
        "task": task.name,
        "stage": task.stage,
        "step": task.step,
        "attempt": task.attempt,
        "optional": task.optional,
    }
    return Event("task.failed", ended["finished_at"], task.owner, task.asset_id, task.job_id, data)


def _poison(task: Task) -> dict[str, Any]:
    last = (task.error or {}).get("detail", "")
    return {"code": "job.poison", "detail": sentence(f"{task.name} failed or ended {task.failures} workers. {last}")}


def _document(error: Exception) -> dict[str, Any]:
    """An error as documents keep it. What is not an error of ours says nothing of its inside to users."""
    if isinstance(error, MediaflowError):
        return error_document(error)
    return {"code": "job.internal", "detail": f"The work failed unexpectedly ({type(error).__name__})."}
