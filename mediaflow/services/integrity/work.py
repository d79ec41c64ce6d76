"""Jobs and their tasks: what ended has ended, what is done is published, what runs is held."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from mediaflow.domain.ids import job_id, task_id
from mediaflow.domain.records import Asset, Job, Task
from mediaflow.domain.states import MAX_ATTEMPTS, WORK_ENDED
from mediaflow.services.integrity.findings import Finding, Mend, by_id, error_of, no_reason, pages, setting
from mediaflow.services.pipeline.jobs import LAST, Jobs
from mediaflow.services.pipeline.tenure import FREE
from mediaflow.services.ports import Below, Database, Increment, OneOf

JOBS_PAGE: Final = 50
"""Each has its tasks with it."""
OVERDUE_SECONDS: Final = 120.0
"""So long after a lease has run out, a worker's reconciler should have taken the task back."""
_NO_ASSET: Final = error_of("job.no_asset", "The asset of the job is gone.")
_LOST_TASK: Final = error_of("job.lost_task", "A task of the job is lost.")


@dataclass(frozen=True, slots=True)
class JobExaminer:
    """Looks at jobs, each with its tasks."""

    database: Database
    jobs: Jobs

    kind = "jobs"

    def suspects(self, told: Callable[[int], None]) -> Iterator[Finding]:
        for page in pages(self.database.jobs, size=JOBS_PAGE):
            yield from self._look(page)
            told(len(page))

    def again(self, subject: str) -> Iterator[Finding]:
        """Of a job with its tasks, or of one task."""
        task = self.database.tasks.get(subject)
        job = self.database.jobs.get(subject if task is None else task.job_id)
        return (found for found in self._look([job] if job else []) if found.subject == subject)

    def _look(self, jobs: list[Job]) -> Iterator[Finding]:
        assets = by_id(self.database.assets, (job.asset_id for job in jobs))
        tasks: dict[str, list[Task]] = defaultdict(list)
        for task in self.database.tasks.find({"job_id": OneOf(tuple(job.id for job in jobs))}):
            tasks[task.job_id].append(task)
        for job in jobs:
            yield from self._job(job, assets.get(job.asset_id))
            yield from self._whole(job, tasks[job.id], assets.get(job.asset_id))
            for task in tasks[job.id]:
                yield from self._task(job, task)

    # --- the job

    def _job(self, job: Job, asset: Asset | None) -> Iterator[Finding]:
        yield from no_reason("job", job, self.database.jobs)
        if asset is None:
            detail = f"its asset {job.asset_id} is not there"
            yield Finding("job.no_asset", job.id, detail, "it is removed, with its tasks", lambda: self._remove(job))
        if job.kind == "process" and job.id != job_id(job.asset_id, job.generation):
            yield Finding("job.wrong_id", job.id, f"its id is not the one of generation {job.generation} of its asset")
        if (job.finished_at is not None) != (job.state in WORK_ENDED):
            changes = {"finished_at": job.updated_at if job.state in WORK_ENDED else None}
            mend = setting(self.database.jobs, job.id, {"rev": job.rev}, changes)
            said = "no end" if job.finished_at is None else "an end"
            yield Finding("job.dates", job.id, f"it is {job.state}, and has {said}", "its end is as its state", mend)
        if asset is not None and job.kind == "process" and job.state == "done" and asset.generation < job.generation:
            yield self._not_published(job, asset)

    def _not_published(self, job: Job, asset: Asset) -> Finding:
        detail = f"it is done, and generation {job.generation} was not published"
        if asset.state not in FREE or asset.deleted_at is not None or asset.original_key is None:
            return Finding("job.not_published", job.id, detail)

        def restart() -> bool:
            return self.jobs.restart(asset, job.profile) is not None

        return Finding("job.not_published", job.id, detail, "its asset is processed again", restart)

    def _whole(self, job: Job, tasks: list[Task], asset: Asset | None) -> Iterator[Finding]:
        """Its tasks together."""
        left = [task for task in tasks if task.state not in WORK_ENDED]
        if job.state in WORK_ENDED and left:
            detail = f"it is {job.state}, and {left[0].name} is {left[0].state} ({len(left)} such tasks)"
            yield Finding("job.unfinished_tasks", job.id, detail, "they are cancelled", lambda: self._cancel(left))
        if job.state in WORK_ENDED or asset is None:
            return
        names = {task.name for task in tasks}
        is_planned = any(task.name in ("publish", LAST.get(job.kind)) for task in tasks)
        missing = {need for task in tasks for need in task.needs} - names
        if is_planned and missing:
            detail = f"its task {min(missing)!r} is not there, and others need it"
            remedy = "it fails, with the reason, and its asset is processed again"
            yield Finding("job.lost_task", job.id, detail, remedy, lambda: self._begin_again(job))

    # --- one task

    def _task(self, job: Job, task: Task) -> Iterator[Finding]:
        yield from no_reason("task", task, self.database.tasks)
        if task.id != task_id(job.id, task.name):
            yield Finding("task.wrong_id", task.id, f"its id is not the one of {task.name!r} in its job")
        if (task.asset_id, task.generation) != (job.asset_id, job.generation):
            yield Finding("task.wrong_job", task.id, f"its job {job.id} is of another asset or generation")
        if task.state in WORK_ENDED or job.state in WORK_ENDED:
            if task.state == "done" and task.attempt == 0:
                yield self._never_claimed(task)
            return
        if task.attempt == 0 and (task.started_at is not None or task.state == "running"):
            yield self._never_claimed(task)
        elif task.state == "running":
            yield from self._held(task)

    def _held(self, task: Task) -> Iterator[Finding]:
        if task.worker is None or task.lease_until <= 0:
            detail = f"{task.name} is running, and nobody holds it"
            yield Finding("task.no_lease", task.id, detail, "it is given back", self._giving_back(task))
        elif (overdue := self.database.now() - task.lease_until) > OVERDUE_SECONDS:
            detail = f"{task.name} is running, its worker's lease ended {overdue:.0f} s ago, and no worker took it back"
            yield Finding("task.overdue", task.id, detail, "it is given back", self._giving_back(task), note=True)

    def _never_claimed(self, task: Task) -> Finding:
        changes = {"attempt": 1} | ({"state": "pending"} if task.state == "running" else {})
        mend = setting(self.database.tasks, task.id, {"rev": task.rev, "attempt": 0}, changes)
        detail = f"{task.name} is {task.state}, was begun, and counts no attempt"
        return Finding("task.no_attempt", task.id, detail, "its attempt is counted", mend)

    # --- repairs

    def _giving_back(self, task: Task) -> Mend:
        now = self.database.now()
        expect = {"state": "running", "attempt": task.attempt, "lease_until": Below(now)}
        changes: dict[str, Any] = {"state": "pending", "lease_until": 0.0, "updated_at": now}
        if task.failures < MAX_ATTEMPTS:  # see `upkeep/orphans.py`
            changes["failures"] = Increment(1)
        return setting(self.database.tasks, task.id, expect, changes)

    def _cancel(self, tasks: Iterable[Task]) -> bool:
        now = self.database.now()
        cancelled = {"state": "cancelled", "updated_at": now, "finished_at": now}
        expect = {"state": OneOf(("pending", "running"))}
        return sum(self.database.tasks.change(task.id, expect, cancelled) is not None for task in tasks) > 0

    def _remove(self, job: Job) -> bool:
        if job.state not in WORK_ENDED:
            self.jobs.end(job, "cancelled", _NO_ASSET)
        for task in self.jobs.tasks(job.id):
            self.jobs.outbox.remove(self.database.tasks, task.id)
        return self.jobs.outbox.remove(self.database.jobs, job.id, {"state": OneOf(WORK_ENDED)})

    def _begin_again(self, job: Job) -> bool:
        if self.jobs.end(job, "failed", _LOST_TASK) is None:
            return False
        asset = self.database.assets.get(job.asset_id)
        if asset is not None and job.kind == "process" and asset.deleted_at is None:
            self.jobs.restart(asset, job.profile)
        return True


@dataclass(frozen=True, slots=True)
class TaskExaminer:
    """Finds tasks of no job; the others are looked at with their jobs."""

    database: Database
    jobs: Jobs

    kind = "tasks"

    def suspects(self, told: Callable[[int], None]) -> Iterator[Finding]:
        for page in pages(self.database.tasks):
            yield from self._look(page)
            told(len(page))

    def again(self, subject: str) -> Iterator[Finding]:
        task = self.database.tasks.get(subject)
        return self._look([task] if task else [])

    def _look(self, tasks: list[Task]) -> Iterator[Finding]:
        jobs = by_id(self.database.jobs, (task.job_id for task in tasks))
        for task in tasks:
            if task.job_id not in jobs:
                mend = self._removing(task)
                detail = f"its job {task.job_id} is not there"
                yield Finding("task.no_job", task.id, detail, "it is removed", mend)

    def _removing(self, task: Task) -> Callable[[], bool]:
        return lambda: self.jobs.outbox.remove(self.database.tasks, task.id)
