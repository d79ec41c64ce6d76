"""Where an asset plays, and everything of it that can be fetched by name."""

from __future__ import annotations

from typing import Any, get_args

from marshmallow import Schema, fields

from mediaflow.api.http.context import absolute
from mediaflow.api.http.fields import Timestamp
from mediaflow.api.schemas.captions import CaptionSchema, caption_documents
from mediaflow.domain.publication import Output, OutputKind
from mediaflow.services.delivery.delivery import Playback


class OutputSchema(Schema):
    """Something that the asset's profile made. Downloads and other files are kept by browsers and not opened."""

    name = fields.String(
        required=True,
        metadata={"description": "Unique within its kind: a manifest's format, captions' language, a file's own name."},
    )
    kind = fields.String(required=True, metadata={"enum": list(get_args(OutputKind))})
    url = fields.String(required=True)
    content_type = fields.String(required=True)
    size_bytes = fields.Integer(required=True, allow_none=True, metadata={"minimum": 0})
    title = fields.String(required=True, allow_none=True, metadata={"description": "For people, where there is one."})


class PlaybackSchema(Schema):
    """Where the asset plays, until `expires_at`. What there is not (yet) is null."""

    manifests = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "The manifest to open of each format that the asset's profile names."},
    )
    outputs = fields.List(
        fields.Nested(OutputSchema), required=True, metadata={"description": "Everything that can be fetched by name."}
    )
    captions = fields.List(fields.Nested(CaptionSchema), required=True)
    hls_url = fields.String(required=True, allow_none=True)
    dash_url = fields.String(required=True, allow_none=True)
    thumbnail_url = fields.String(required=True, allow_none=True)
    storyboard_url = fields.String(required=True, allow_none=True)
    preview_url = fields.String(
        required=True, allow_none=True, metadata={"description": "Some silent seconds of the video, for lists."}
    )
    token = fields.String(required=True)
    expires_at = Timestamp(required=True)
    title = fields.String(required=True)
    description = fields.String(required=True)
    duration_seconds = fields.Float(required=True, allow_none=True)


def playback_document(playback: Playback) -> dict[str, Any]:
    """Playback addresses as URLs."""
    manifests = {o.name: absolute(playback.path(o)) for o in playback.outputs if o.kind == "manifest"}
    return {
        "manifests": manifests,
        "outputs": [_output(output, playback) for output in playback.outputs],
        "captions": caption_documents(playback.asset, playback),
        "hls_url": manifests.get("hls"),
        "dash_url": manifests.get("dash"),
        "thumbnail_url": absolute(playback.first("image")),
        "storyboard_url": absolute(playback.first("storyboard")),
        "preview_url": absolute(playback.first("preview")),
        "token": playback.token,
        "expires_at": playback.expires_at,
        "title": playback.asset.title,
        "description": playback.asset.description,
        "duration_seconds": playback.asset.duration_seconds,
    }


def _output(output: Output, playback: Playback) -> dict[str, Any]:
    told = {name: getattr(output, name) for name in ("name", "kind", "content_type", "size_bytes", "title")}
    return {**told, "url": absolute(playback.path(output))}
