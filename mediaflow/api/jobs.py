"""Jobs: what was done for an asset, task by task."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from mediaflow.api.context import BASE, caller, runtime
from mediaflow.api.fields import Text, Timestamp, choice
from mediaflow.api.resource import Resource
from mediaflow.api.schemas_common import FaultSchema, PageQuery, PageSchema, fault_document, page_document
from mediaflow.domain.records import Job, Task
from mediaflow.domain.states import WORK_MOVES
from mediaflow.services.library import JobQuery

blueprint = Resource("jobs", __name__, url_prefix=f"{BASE}/jobs", description="The work on assets.")

STATES = tuple(WORK_MOVES)


class JobListQuery(PageQuery):
    """Which jobs; the newest come first."""

    state = choice(*STATES)
    asset_id = Text(longest=32)


class TaskSchema(Schema):
    """One task of a job. `attempts` counts how often it was begun."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    stage = fields.String(required=True)
    step = fields.String(required=True, allow_none=True)
    state = fields.String(required=True, metadata={"enum": list(STATES)})
    progress = fields.Float(required=True)
    attempts = fields.Integer(required=True)
    failures = fields.Integer(required=True)
    optional = fields.Boolean(required=True)
    needs = fields.List(fields.String(), required=True)
    worker = fields.String(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    started_at = Timestamp(required=True, allow_none=True)
    finished_at = Timestamp(required=True, allow_none=True)
    error = fields.Nested(FaultSchema, required=True, allow_none=True)


class JobSchema(Schema):
    """The work of one generation of an asset."""

    id = fields.String(required=True)
    asset_id = fields.String(required=True)
    owner = fields.String(required=True)
    generation = fields.Integer(required=True)
    profile = fields.String(required=True, allow_none=True)
    state = fields.String(required=True, metadata={"enum": list(STATES)})
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)
    finished_at = Timestamp(required=True, allow_none=True)
    error = fields.Nested(FaultSchema, required=True, allow_none=True)


class JobWithTasksSchema(JobSchema):
    """A job with its plan and its tasks."""

    plan = fields.Dict(required=True, allow_none=True)
    tasks = fields.List(fields.Nested(TaskSchema), required=True)


class JobPageSchema(PageSchema):
    """A page of jobs."""

    items = fields.List(fields.Nested(JobSchema), required=True)


@blueprint.operation("GET", "", query=JobListQuery, gives={200: JobPageSchema})
def list_jobs(query: dict[str, Any]) -> dict[str, Any]:
    """List jobs, the newest first."""
    return page_document(runtime().library.jobs(caller(), JobQuery(**query)), _document)


@blueprint.operation("GET", "/<id:job_id>", gives={200: JobWithTasksSchema})
def get_job(job_id: str) -> dict[str, Any]:
    """One job with its tasks, attempts and errors."""
    job, tasks = runtime().library.job(caller(), job_id)
    return {**_document(job), "plan": job.plan, "tasks": [_task_document(task) for task in tasks]}


def _document(job: Job) -> dict[str, Any]:
    names = ("id", "asset_id", "owner", "generation", "profile", "state", "created_at", "updated_at", "finished_at")
    return {**{name: getattr(job, name) for name in names}, "error": fault_document(job.error)}


def _task_document(task: Task) -> dict[str, Any]:
    names = ("id", "name", "stage", "step", "state", "failures", "optional", "needs", "worker")
    times = ("created_at", "started_at", "finished_at")
    return {
        **{name: getattr(task, name) for name in (*names, *times)},
        "progress": round(task.progress, 4),
        "attempts": task.attempt,
        "error": fault_document(task.error),
    }
