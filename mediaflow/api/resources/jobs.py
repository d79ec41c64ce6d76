"""Jobs: what is done for an asset, task by task; cancelled and repeated."""

from __future__ import annotations

from typing import Any

from mediaflow.api.http.context import BASE, caller, runtime
from mediaflow.api.http.resource import Resource
from mediaflow.api.resources.audit import note
from mediaflow.api.schemas.common import fault_document, page_document
from mediaflow.api.schemas.jobs import (
    JobChangesBody,
    JobListQuery,
    JobPageSchema,
    JobWithTasksSchema,
    RetriedSchema,
    RetryBody,
)
from mediaflow.domain.records import Job, Task
from mediaflow.sandbox.identity import shown_worker
from mediaflow.services.assets.joblist import JobStanding
from mediaflow.services.assets.library import JobQuery
from mediaflow.services.assets.steering import RetryQuery

blueprint = Resource("jobs", __name__, url_prefix=f"{BASE}/jobs", description="The work on assets.")


@blueprint.operation("GET", "", query=JobListQuery, gives={200: JobPageSchema})
def list_jobs(query: dict[str, Any]) -> dict[str, Any]:
    """List jobs, the newest first.

    Your own; an admin's list has everybody's. `paused` says when and why an admin has paused all work.
    """
    found = runtime().library.jobs(caller(), JobQuery(**query))
    standings = runtime().job_list.standings(found.items)
    page = page_document(found, lambda job: _document(job, standings[job.id]))
    queue = runtime().pausing.state()
    paused = queue is not None and queue.paused
    return {**page, "paused": {"since": queue.changed_at, "reason": queue.reason} if queue and paused else None}


@blueprint.operation("GET", "/<id:job_id>", gives={200: JobWithTasksSchema})
def get_job(job_id: str) -> dict[str, Any]:
    """One job with its tasks, attempts and errors.

    Tasks are listed in the order of their making; `attempts` counts how often each was begun.
    """
    return _whole(job_id)


@blueprint.operation("POST", "/<id:job_id>/cancel", gives={200: JobWithTasksSchema}, fails=(409,))
def cancel_job(job_id: str) -> dict[str, Any]:
    """Cancel a job.

    Nothing of it is published any more, and what runs of it ends within 5 seconds. What was published before stays.
    Repeating does no harm; 409 when the job has ended otherwise.
    """
    runtime().reprocess.cancel(caller(), job_id)
    return _whole(job_id)


@blueprint.operation("POST", "/<id:job_id>/retry", gives={202: JobWithTasksSchema}, fails=(409,))
def retry_job(job_id: str) -> dict[str, Any]:
    """Repeat a job that failed or was cancelled.

    The answer is the new job, for the next generation of the asset, with the same profile. 409 while the asset is
    processed already, and for other jobs.
    """
    return _whole(runtime().reprocess.retry(caller(), job_id).id)


@blueprint.operation("PATCH", "/<id:job_id>", takes=JobChangesBody, gives={200: JobWithTasksSchema}, fails=(409,))
def update_job(body: dict[str, Any], job_id: str) -> dict[str, Any]:
    """Change the order of a job.

    Tasks of a job with a greater priority are claimed first, whoever owns it. 409 when the job has ended.
    """
    runtime().steering.prioritise(caller(), job_id, body["priority"])
    note(priority=body["priority"])
    return _whole(job_id)


@blueprint.operation("POST", "/retry", takes=RetryBody, gives={202: RetriedSchema}, fails=(409,))
def retry_jobs(body: dict[str, Any]) -> dict[str, Any]:
    """Repeat all that failed, or all that failed with one code.

    Of each asset its newest job, with the same profile; an admin's request is for everybody's unless it names an
    `owner`. At most 100 are begun by one request; while `more` is true, asking again with the `since` of the answer
    goes on.
    """
    done = runtime().steering.retry_failed(caller(), RetryQuery(**body))
    note(retried=len(done.begun), refused=len(done.refused))
    return {
        "jobs": [{"id": new.id, "asset_id": new.asset_id, "retry_of": old.id} for old, new in done.begun],
        "refused": [
            {"id": job.id, "asset_id": job.asset_id, "error": {"code": error.code, "detail": error.detail}}
            for job, error in done.refused
        ],
        "examined": done.examined,
        "more": done.more,
        "since": done.since,
    }


def _whole(job_id: str) -> dict[str, Any]:
    job, tasks = runtime().library.job(caller(), job_id)
    standing = runtime().job_list.standings([job])[job.id]
    return {**_document(job, standing), "plan": job.plan, "tasks": [_task_document(task) for task in tasks]}


def _document(job: Job, standing: JobStanding) -> dict[str, Any]:
    names = (
        "id",
        "asset_id",
        "kind",
        "owner",
        "generation",
        "profile",
        "state",
        "priority",
        "created_at",
        "updated_at",
        "finished_at",
    )
    waiting, progress = standing.waiting, standing.progress
    return {
        **{name: getattr(job, name) for name in names},
        "title": standing.title,
        "is_newest": standing.is_newest,
        "progress": None if progress is None else round(progress.fraction, 4),
        "eta_seconds": None if progress is None else progress.eta_seconds,
        "waiting": None if waiting is None else {"own": waiting.own, "others": waiting.others},
        "error": fault_document(job.error),
    }


def _task_document(task: Task) -> dict[str, Any]:
    names = ("id", "name", "stage", "step", "state", "failures", "optional", "needs")
    times = ("created_at", "started_at", "finished_at")
    return {
        **{name: getattr(task, name) for name in (*names, *times)},
        "progress": round(task.progress, 4),
        "attempts": task.attempt,
        "worker": None if task.worker is None else shown_worker(task.worker),
        "error": fault_document(task.error),
    }
