"""Assets, as their owners see and change them."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from mediaflow.api.context import BASE, absolute, base_url
from mediaflow.api.fields import Body, Text, Timestamp, choice, switch
from mediaflow.api.schemas_common import FaultSchema, PageQuery, PageSchema, fault_document
from mediaflow.api.schemas_uploads import LONGEST_DESCRIPTION, LONGEST_NAME, LONGEST_TAG, tags_field
from mediaflow.domain.records import Asset
from mediaflow.domain.states import ASSET_STATES, VISIBILITIES
from mediaflow.services.delivery import Playback
from mediaflow.services.library import Progress
from mediaflow.services.listing import ASSET_SORTS


class AssetListQuery(PageQuery):
    """Which assets; `sort` is a field's name, with `-` in front for descending order."""

    q = Text(longest=200)
    tag = Text(longest=LONGEST_TAG)
    state = choice(*ASSET_STATES)
    visibility = choice(*VISIBILITIES)
    sort = choice(*ASSET_SORTS, *(f"-{name}" for name in ASSET_SORTS), load_default="-created_at")
    deleted = switch(load_default=False)


class AssetPatchBody(Body):
    """What can be changed; what is not sent stays."""

    title = Text(shortest=1, longest=LONGEST_NAME)
    description = Text(longest=LONGEST_DESCRIPTION, lines=True)
    tags = tags_field()
    visibility = choice(*VISIBILITIES)


class RenditionSchema(Schema):
    """One published rendition. Audio has no size and no frame rate."""

    name = fields.String(required=True)
    width = fields.Integer(required=True, allow_none=True)
    height = fields.Integer(required=True, allow_none=True)
    frame_rate = fields.Float(required=True, allow_none=True)
    bitrate_bps = fields.Integer(required=True, allow_none=True)
    codecs = fields.String(required=True, allow_none=True)
    mp4_url = fields.String(required=True, allow_none=True)


class AssetLinksSchema(Schema):
    """Where to go on; `watch` is for people."""

    self = fields.String(required=True)
    playback = fields.String(required=True)
    upload = fields.String(required=True)
    job = fields.String(required=True, allow_none=True)
    watch = fields.String(required=True)


class AssetSchema(Schema):
    """One asset. What is not known yet is null."""

    id = fields.String(required=True)
    owner = fields.String(required=True)
    title = fields.String(required=True)
    description = fields.String(required=True)
    tags = fields.List(fields.String(), required=True)
    visibility = fields.String(required=True, metadata={"enum": list(VISIBILITIES)})
    state = fields.String(required=True, metadata={"enum": list(ASSET_STATES)})
    playable = fields.Boolean(required=True)
    progress = fields.Float(required=True, metadata={"minimum": 0, "maximum": 1})
    eta_seconds = fields.Float(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)
    deleted_at = Timestamp(required=True, allow_none=True)
    duration_seconds = fields.Float(required=True, allow_none=True)
    content_type = fields.String(required=True, allow_none=True)
    size_bytes = fields.Integer(required=True)
    sha256 = fields.String(required=True, allow_none=True)
    filename = fields.String(required=True)
    profile = fields.String(required=True, allow_none=True)
    media = fields.Dict(required=True, allow_none=True)
    renditions = fields.List(fields.Nested(RenditionSchema), required=True)
    thumbnail_url = fields.String(required=True, allow_none=True)
    links = fields.Nested(AssetLinksSchema, required=True)
    error = fields.Nested(FaultSchema, required=True, allow_none=True)


class AssetPageSchema(PageSchema):
    """A page of assets."""

    items = fields.List(fields.Nested(AssetSchema), required=True)


class PlaybackSchema(Schema):
    """Where the asset plays, until `expires_at`. What there is not (yet) is null."""

    hls_url = fields.String(required=True, allow_none=True)
    early_hls_url = fields.String(required=True, allow_none=True)
    dash_url = fields.String(required=True, allow_none=True)
    thumbnail_url = fields.String(required=True, allow_none=True)
    storyboard_url = fields.String(required=True, allow_none=True)
    token = fields.String(required=True)
    expires_at = Timestamp(required=True)


def asset_document(asset: Asset, progress: Progress, playback: Playback | None) -> dict[str, Any]:
    """An asset as its schema has it; without `playback` (a deleted one) it shows no picture."""
    here = absolute(f"{BASE}/assets/{asset.id}")
    published = asset.published or {}
    return {
        "id": asset.id,
        "owner": asset.owner,
        "title": asset.title,
        "description": asset.description,
        "tags": asset.tags,
        "visibility": asset.visibility,
        "state": asset.state,
        "playable": asset.playable,
        "progress": round(progress.fraction, 4),
        "eta_seconds": progress.eta_seconds,
        "created_at": asset.created_at,
        "updated_at": asset.updated_at,
        "deleted_at": asset.deleted_at,
        "duration_seconds": asset.duration_seconds,
        "content_type": asset.content_type,
        "size_bytes": asset.size_bytes,
        "sha256": asset.sha256,
        "filename": asset.filename,
        "profile": asset.profile,
        "media": asset.media,
        "renditions": [_rendition(rendition) for rendition in published.get("renditions") or []],
        "thumbnail_url": absolute(playback.thumbnail) if playback else None,
        "links": {
            "self": here,
            "playback": f"{here}/playback",
            "upload": absolute(f"{BASE}/uploads/{asset.upload_id}"),
            "job": absolute(f"{BASE}/jobs/{asset.job_id}") if asset.job_id else None,
            "watch": f"{base_url()}/#/watch/{asset.id}",
        },
        "error": fault_document(asset.error),
    }


def _rendition(rendition: dict[str, Any]) -> dict[str, Any]:
    names = ("name", "width", "height", "frame_rate", "bitrate_bps", "codecs", "mp4_url")
    return {name: rendition.get(name) for name in names}


def playback_document(playback: Playback) -> dict[str, Any]:
    """Playback addresses as URLs."""
    return {
        "hls_url": absolute(playback.hls),
        "early_hls_url": absolute(playback.early_hls),
        "dash_url": absolute(playback.dash),
        "thumbnail_url": absolute(playback.thumbnail),
        "storyboard_url": absolute(playback.storyboard),
        "token": playback.token,
        "expires_at": playback.expires_at,
    }
