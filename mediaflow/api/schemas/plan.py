"""Plans: what an asset is made into, with what is there of it."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from mediaflow.api.http.fields import Timestamp, choice
from mediaflow.plugin.wire import dump
from mediaflow.services.assets.plans import AssetPlan

_WHEN = {"description": "Made in any case, or a piece at a time where somebody watches it."}


def _count(description: str, *, nullable: bool = False) -> fields.Integer:
    metadata = {"minimum": 0, "description": description}
    return fields.Integer(required=True, allow_none=nullable, metadata=metadata)


class SourceSchema(Schema):
    """What was measured of the file. The picture has the size that viewers see, in square pixels."""

    container = fields.String(required=True)
    size_bytes = fields.Integer(required=True)
    duration_seconds = fields.Float(required=True)
    width = fields.Integer(required=True, allow_none=True)
    height = fields.Integer(required=True, allow_none=True)
    frame_rate = fields.Float(required=True, allow_none=True)
    video_codec = fields.String(required=True, allow_none=True)
    audio_codec = fields.String(required=True, allow_none=True)
    channels = fields.Integer(required=True, allow_none=True)
    sample_rate_hz = fields.Integer(required=True, allow_none=True)


class GridSchema(Schema):
    """Where the picture is cut into segments: the same in every size."""

    frame_rate = fields.Float(required=True)
    segment_frames = fields.Integer(
        required=True,
        metadata={"description": "The frames of each segment but the last, or of the longest where they differ."},
    )
    segment_seconds = fields.Float(required=True)
    segments = fields.Integer(required=True)
    frames = fields.Integer(required=True, metadata={"description": "Of the whole picture."})


class PlannedRenditionSchema(Schema):
    """A picture or a sound that is planned, with what is there of it. Sound has no size and no frame rate."""

    name = fields.String(required=True)
    kind = choice("video", "audio")
    width = fields.Integer(required=True, allow_none=True)
    height = fields.Integer(required=True, allow_none=True)
    frame_rate = fields.Float(required=True, allow_none=True)
    max_bitrate_bps = fields.Integer(required=True, metadata={"description": "The cap; most pictures take less."})
    when = choice("eager", "on_demand", metadata=_WHEN)
    why = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "Why it is made, and why then. null where an older version planned it.",
            "examples": ["The picture made smaller; made where somebody watches it."],
        },
    )
    segments = _count("How many it has in the end; null where that is not known before.", nullable=True)
    segments_made = _count("How many are there.", nullable=True)
    made_bytes = _count("What those take, while that is kept of each.", nullable=True)
    expected_bytes = _count("What all take in the end: by the cap, or by those that are there when it is `measured`.")
    measured = fields.Boolean(required=True)


class LeftOutSchema(Schema):
    """A rung of the profile that is not made of this file."""

    rung = fields.String(required=True, metadata={"examples": ["1080p"]})
    why = fields.String(required=True, metadata={"examples": ["The picture is 640x360: 360p has all of it."]})


class PartSchema(Schema):
    """Segments that are made together, `count` from number `first` on."""

    first = fields.Integer(required=True, metadata={"minimum": 0})
    count = fields.Integer(required=True, metadata={"minimum": 1})
    state = choice("waiting", "running", "made", "failed")


class StatesSchema(Schema):
    """How many of the parts (or whether the task itself) wait, run, are made, or failed (or were cancelled)."""

    waiting = fields.Integer(required=True)
    running = fields.Integer(required=True)
    made = fields.Integer(required=True)
    failed = fields.Integer(required=True)


class PlannedTaskSchema(Schema):
    """A task as its step planned it, with how it stands."""

    name = fields.String(required=True, metadata={"examples": ["video-low"]})
    step = fields.String(required=True, metadata={"examples": ["video.h264"]})
    when = choice("eager", "on_demand", metadata=_WHEN)
    optional = fields.Boolean(required=True, metadata={"description": "Its failure does not fail the job."})
    load_units = _count("Cores that it keeps busy.")
    makes = fields.List(fields.String(), required=True, metadata={"description": "Tracks and files, by name."})
    segments = _count("Of each of its tracks, where any run of them can be made by itself; else 0.")
    in_parts = fields.Boolean(required=True, metadata={"description": "Several workers can make it at once."})
    why = fields.String(required=True, metadata={"description": "Why it is made in parts, or whole."})
    parts = fields.List(
        fields.Nested(PartSchema),
        required=True,
        metadata={"description": "Of what is made on demand: those that players wait for now."},
    )
    states = fields.Nested(StatesSchema, required=True)
    core_seconds = fields.Float(
        required=True, metadata={"description": "What all of it takes of one core, as expected."}
    )
    expected_bytes = _count("Of all its tracks in the end; null where it makes none by itself.", nullable=True)
    findings = fields.Dict(
        keys=fields.String(),
        required=True,
        allow_none=True,
        metadata={
            "description": "What it found out for other tasks, such as the quality that the picture needs; null before"
            " it is done, and for tasks that look for nothing."
        },
    )


class MadeSchema(Schema):
    """Segments that are there, of what is made on demand."""

    segments = _count("How many.")
    size_bytes = _count("What they take.")


class AssetPlanSchema(Schema):
    """The plan of an asset's newest generation that has one. What older versions did not keep is null."""

    job_id = fields.String(required=True)
    generation = fields.Integer(required=True)
    profile = fields.String(required=True)
    source = fields.Nested(SourceSchema, required=True)
    grid = fields.Nested(
        GridSchema, required=True, allow_none=True, metadata={"description": "null without a picture."}
    )
    renditions = fields.List(fields.Nested(PlannedRenditionSchema), required=True)
    left_out = fields.List(fields.Nested(LeftOutSchema), required=True, allow_none=True)
    tasks = fields.List(fields.Nested(PlannedTaskSchema), required=True, allow_none=True)
    made_on_demand = fields.Nested(MadeSchema, required=True)
    watched_at = Timestamp(
        required=True,
        allow_none=True,
        metadata={
            "description": "When somebody last watched it, within ten minutes; null when nothing is made on demand, or"
            " nobody has since the last of that went for the budget."
        },
    )


def plan_document(plan: AssetPlan) -> dict[str, Any]:
    """A plan as its schema has it."""
    where = {"job_id": plan.job.id, "generation": plan.job.generation, "watched_at": plan.watched_at}
    return {**where, **dump(plan.outlook)}
