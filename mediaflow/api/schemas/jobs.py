"""Jobs and their tasks, as their owners see them."""

from __future__ import annotations

from typing import Final, get_args

from marshmallow import Schema, fields, validate

from mediaflow.api.http.fields import Body, Moment, Text, Timestamp, choice, whole
from mediaflow.api.schemas.common import FaultSchema, PageQuery, PageSchema
from mediaflow.domain.ids import ID_PATTERN
from mediaflow.domain.queue import PRIORITIES
from mediaflow.domain.states import STAGES, JobKind, WorkState

STATES: Final = get_args(WorkState)
KINDS: Final = get_args(JobKind)


class JobListQuery(PageQuery):
    """Which jobs; the newest come first."""

    state = choice(
        *STATES, "active", metadata={"description": "Only jobs in this state; `active`: pending and running."}
    )
    asset_id = Text(longest=32, metadata={"description": "Only jobs of this asset."})


def _id(description: str) -> fields.String:
    return fields.String(required=True, metadata={"pattern": ID_PATTERN, "description": description})


def _state() -> fields.String:
    return fields.String(required=True, metadata={"enum": list(STATES)})


class TaskSchema(Schema):
    """One task of a job: the smallest unit that is tried again when it fails."""

    id = _id("The task's id.")
    name = fields.String(required=True, metadata={"examples": ["video-0"]})
    stage = fields.String(required=True, metadata={"enum": list(STAGES)})
    step = fields.String(
        required=True, allow_none=True, metadata={"description": "The plugins' step.", "examples": ["video.h264"]}
    )
    state = _state()
    progress = fields.Float(required=True, metadata={"minimum": 0, "maximum": 1})
    attempts = fields.Integer(required=True, metadata={"minimum": 0, "description": "How often it was begun."})
    failures = fields.Integer(required=True, metadata={"minimum": 0, "description": "How many of those ended badly."})
    optional = fields.Boolean(required=True, metadata={"description": "Its failure does not fail the job."})
    needs = fields.List(
        fields.String(), required=True, metadata={"description": "Names of the tasks that must be done before."}
    )
    worker = fields.String(required=True, allow_none=True, metadata={"description": "Who had it last."})
    created_at = Timestamp(required=True)
    started_at = Timestamp(required=True, allow_none=True)
    finished_at = Timestamp(required=True, allow_none=True)
    error = fields.Nested(FaultSchema, required=True, allow_none=True)


class WaitingSchema(Schema):
    """About how many tasks go first: those of the owner that are before it, and of each other owner as many and one."""

    own = fields.Integer(required=True, metadata={"minimum": 0})
    others = fields.Integer(required=True, metadata={"minimum": 0})


class JobSchema(Schema):
    """The work of one generation of an asset, or on a new picture for it."""

    id = _id("The job's id.")
    asset_id = _id("The asset that it is for.")
    title = fields.String(
        required=True, allow_none=True, metadata={"description": "The asset's; null when that is gone."}
    )
    is_newest = fields.Boolean(
        required=True,
        metadata={"description": "The asset is there, and has no later job: a failed one can be retried."},
    )
    kind = fields.String(
        required=True,
        metadata={"enum": list(KINDS), "description": "`process` makes a generation, `poster` a picture for one."},
    )
    owner = fields.String(required=True)
    generation = fields.Integer(required=True, metadata={"minimum": 0})
    profile = fields.String(
        required=True, allow_none=True, metadata={"description": "null until one is chosen.", "examples": ["web-h264"]}
    )
    state = _state()
    priority = fields.Integer(required=True, metadata={"description": "Greater ones go first; usual is 0."})
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)
    finished_at = Timestamp(required=True, allow_none=True)
    progress = fields.Float(
        required=True,
        allow_none=True,
        metadata={"minimum": 0, "maximum": 1, "description": "Of what is active, as of the asset; null else."},
    )
    eta_seconds = fields.Float(required=True, allow_none=True, metadata={"minimum": 0})
    waiting = fields.Nested(
        WaitingSchema, required=True, allow_none=True, metadata={"description": "null unless it waits for a worker."}
    )
    error = fields.Nested(FaultSchema, required=True, allow_none=True)


class JobWithTasksSchema(JobSchema):
    """A job with its plan and its tasks."""

    plan = fields.Dict(
        required=True,
        allow_none=True,
        metadata={"description": "What is encoded: renditions, segments, rungs, tasks. null until it is planned."},
    )
    tasks = fields.List(fields.Nested(TaskSchema), required=True)


class PauseSchema(Schema):
    """That nothing new is begun, since when and why."""

    since = Timestamp(required=True)
    reason = fields.String(required=True, allow_none=True)


class JobPageSchema(PageSchema):
    """A page of jobs."""

    items = fields.List(fields.Nested(JobSchema), required=True)
    paused = fields.Nested(
        PauseSchema, required=True, allow_none=True, metadata={"description": "null while work is begun as usual."}
    )


class JobChangesBody(Body):
    """What becomes of the job."""

    priority = whole(
        required=True,
        validate=validate.Range(*PRIORITIES, error="must be {min} to {max}"),
        metadata={"description": "Tasks of a greater one go first. Owners take -10 to 0, admins any; usual is 0."},
    )


class RetryBody(Body):
    """Which of the failed jobs; all when there is nothing. No body at all means the same as an empty object."""

    absent_is_empty = True

    code = Text(
        shortest=1, longest=100, metadata={"description": "Only those with this error.", "examples": ["job.poison"]}
    )
    since = Moment(metadata={"description": "Only those that were made at this time or later."})
    owner = Text(shortest=1, longest=200, metadata={"description": "For admins: only this user's. Else everybody's."})


class RetriedJobSchema(Schema):
    """A job that was begun, and which one it repeats."""

    id = _id("The new job's id.")
    asset_id = _id("Its asset.")
    retry_of = _id("The failed job's id.")


class RefusedJobSchema(Schema):
    """A job that can't be repeated now."""

    id = _id("The failed job's id.")
    asset_id = _id("Its asset.")
    error = fields.Nested(FaultSchema, required=True)


class RetriedSchema(Schema):
    """What came of it: at most 100 jobs are begun by one request."""

    jobs = fields.List(fields.Nested(RetriedJobSchema), required=True)
    refused = fields.List(fields.Nested(RefusedJobSchema), required=True)
    examined = fields.Integer(required=True, metadata={"minimum": 0, "description": "Failed jobs that were looked at."})
    more = fields.Boolean(
        required=True, metadata={"description": "Not all were looked at: ask again, with `since` from here."}
    )
    since = Timestamp(required=True, allow_none=True, metadata={"description": "When the last of these was made."})
