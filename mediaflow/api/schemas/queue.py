"""The queue, as admins see and switch it."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from mediaflow.api.http.fields import Body, Text, Timestamp
from mediaflow.domain.queue import QueueState
from mediaflow.domain.states import LANES, STAGES
from mediaflow.services.upkeep.depth import Depth

_OLDEST = {"description": "How long ago the oldest task that waits was made; null when none does.", "minimum": 0}


class PauseBody(Body):
    """Why. No body at all means the same as an empty object."""

    absent_is_empty = True

    reason = Text(shortest=1, longest=500, metadata={"description": "Told to whoever asks why nothing is done."})


class StageDepthSchema(Schema):
    """The tasks of one stage in one lane."""

    stage = fields.String(required=True, metadata={"enum": list(STAGES)})
    lane = fields.String(
        required=True,
        metadata={"enum": list(LANES), "description": "`bookkeeping` needs no core; `long` gives way to `short`."},
    )
    waiting = fields.Integer(required=True, metadata={"minimum": 0, "description": "Tasks that could begin."})
    running = fields.Integer(required=True, metadata={"minimum": 0})
    oldest_seconds = fields.Float(required=True, allow_none=True, metadata=_OLDEST)


class QueueSchema(Schema):
    """Whether work is begun, and how much of it waits."""

    paused = fields.Boolean(required=True, metadata={"description": "No worker begins anything new."})
    reason = fields.String(required=True, allow_none=True, metadata={"description": "Why it is paused."})
    changed_at = Timestamp(required=True, allow_none=True, metadata={"description": "When it was switched last."})
    changed_by = fields.String(required=True, allow_none=True, metadata={"description": "Who did that."})
    waiting = fields.Integer(required=True, metadata={"minimum": 0})
    running = fields.Integer(required=True, metadata={"minimum": 0})
    oldest_seconds = fields.Float(required=True, allow_none=True, metadata=_OLDEST)
    stages = fields.List(
        fields.Nested(StageDepthSchema),
        required=True,
        metadata={"description": "Only those that have tasks that wait or run."},
    )


def queue_document(state: QueueState | None, depth: Depth) -> dict[str, Any]:
    """The queue as `QueueSchema` has it."""
    names = ("stage", "lane", "waiting", "running", "oldest_seconds")
    return {
        "paused": state is not None and state.paused,
        "reason": state and state.reason,
        "changed_at": state and state.changed_at,
        "changed_by": state and state.changed_by,
        "waiting": depth.waiting,
        "running": depth.running,
        "oldest_seconds": depth.oldest_seconds,
        "stages": [{name: getattr(stage, name) for name in names} for stage in depth.stages],
    }
