"""Jobs: what is done for an asset, task by task; cancelled and repeated."""

from __future__ import annotations

from typing import Any

from mediaflow.api.http.context import BASE, caller, runtime
from mediaflow.api.http.resource import Resource
from mediaflow.api.schemas.common import fault_document, page_document
from mediaflow.api.schemas.jobs import JobListQuery, JobPageSchema, JobWithTasksSchema
from mediaflow.domain.records import Job, Task
from mediaflow.sandbox.identity import shown_worker
from mediaflow.services.assets.library import JobQuery

blueprint = Resource("jobs", __name__, url_prefix=f"{BASE}/jobs", description="The work on assets.")


@blueprint.operation("GET", "", query=JobListQuery, gives={200: JobPageSchema})
def list_jobs(query: dict[str, Any]) -> dict[str, Any]:
    """List jobs, the newest first.

    Your own; an admin's list has everybody's.
    """
    return page_document(runtime().library.jobs(caller(), JobQuery(**query)), _document)


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


def _whole(job_id: str) -> dict[str, Any]:
    job, tasks = runtime().library.job(caller(), job_id)
    return {**_document(job), "plan": job.plan, "tasks": [_task_document(task) for task in tasks]}


def _document(job: Job) -> dict[str, Any]:
    names = (
        "id",
        "asset_id",
        "kind",
        "owner",
        "generation",
        "profile",
        "state",
        "created_at",
        "updated_at",
        "finished_at",
    )
    return {**{name: getattr(job, name) for name in names}, "error": fault_document(job.error)}


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
