"""Profiles: what assets can be turned into."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from mediaflow.api.http.context import BASE, runtime
from mediaflow.api.http.resource import Resource
from mediaflow.domain.profile import Profile

blueprint = Resource("profiles", __name__, url_prefix=f"{BASE}/profiles", description="What assets are turned into.")


class RungSchema(Schema):
    """One rung of a ladder; the bitrates are caps."""

    name = fields.String(required=True)
    height = fields.Integer(required=True)
    video_bitrate_bps = fields.Integer(required=True)
    audio_bitrate_bps = fields.Integer(required=True)


class StepSchema(Schema):
    """A step with its parameters."""

    step = fields.String(required=True)
    params = fields.Dict(required=True)


class ProfileSchema(Schema):
    """One profile."""

    name = fields.String(required=True)
    description = fields.String(required=True)
    default = fields.Boolean(required=True)
    segment_seconds = fields.Float(required=True)
    frame_rate_max = fields.Integer(required=True)
    ladder = fields.List(fields.Nested(RungSchema), required=True)
    steps = fields.List(fields.Nested(StepSchema), required=True)
    manifests = fields.List(fields.String(), required=True)
    downloads = fields.List(fields.String(), required=True)
    copies = fields.Boolean(
        required=True, metadata={"description": "A file that fits its largest size is cut into segments as it is."}
    )
    original = fields.String(
        required=True,
        metadata={"description": "What becomes of the file when everything is made: `keep`, `archive` or `delete`."},
    )


class ProfileListSchema(Schema):
    """All profiles, sorted by name."""

    items = fields.List(fields.Nested(ProfileSchema), required=True)


@blueprint.operation("GET", "", gives={200: ProfileListSchema})
def list_profiles() -> dict[str, Any]:
    """List the profiles that uploads can name.

    The `default` one is taken for uploads that name none, unless a plugin chooses by what it finds in the file.
    """
    known = runtime().plugins.profiles
    return {"items": [_document(known[name]) for name in sorted(known)]}


def _document(profile: Profile) -> dict[str, Any]:
    return {
        "name": profile.name,
        "description": profile.description,
        "default": profile.name == runtime().settings.default_profile,
        "segment_seconds": profile.segment_seconds,
        "frame_rate_max": profile.frame_rate_max,
        "ladder": list(profile.ladder),
        "steps": [{"step": spec.step, "params": dict(spec.params)} for spec in profile.steps],
        "manifests": list(profile.manifests),
        "downloads": list(profile.downloads),
        "copies": profile.copies,
        "original": profile.original,
    }
