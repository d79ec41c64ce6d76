"""Assets, as their owners see and change them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, RAISE, Schema, fields, validate

from mediaflow.api.http.context import BASE, absolute, base_url
from mediaflow.api.http.fields import Body, Moment, Text, Timestamp, choice, switch
from mediaflow.api.schemas.captions import CaptionSchema, caption_documents
from mediaflow.api.schemas.common import FaultSchema, PageQuery, PageSchema, fault_document
from mediaflow.api.schemas.originals import OriginalSchema
from mediaflow.api.schemas.uploads import LONGEST_DESCRIPTION, LONGEST_NAME, LONGEST_TAG, tags_field
from mediaflow.domain.records import Asset
from mediaflow.domain.states import ASSET_STATES, VISIBILITIES
from mediaflow.services.access.names import MAX_USER_CHARACTERS
from mediaflow.services.assets.listing import ASSET_SORTS, Totals
from mediaflow.services.assets.progress import Progress
from mediaflow.services.delivery.delivery import Playback
from mediaflow.services.originals.states import original_state


def owner_field() -> Text:
    """A filter for admins."""
    return Text(
        shortest=1,
        longest=MAX_USER_CHARACTERS,
        metadata={"description": "Only that owner's assets. For admins: others may name themselves only."},
    )


class AssetListQuery(PageQuery):
    """Which assets. What is given must all hold."""

    q = Text(
        longest=200,
        metadata={
            "description": "Words of title, description or tags, or their beginnings; all must be there. Case and "
            "accents make no difference.",
            "examples": ["summer hol"],
        },
    )
    tag = Text(longest=LONGEST_TAG, metadata={"description": "Exactly this tag.", "examples": ["sea"]})
    state = choice(*ASSET_STATES)
    visibility = choice(*VISIBILITIES)
    owner = owner_field()
    created_after = Moment(metadata={"description": "Created then or later."})
    created_before = Moment(metadata={"description": "Created before that."})
    sort = choice(
        *ASSET_SORTS,
        *(f"-{name}" for name in ASSET_SORTS),
        load_default="-created_at",
        metadata={"description": "The field to sort by, with `-` in front for descending order."},
    )
    deleted = switch(load_default=False, metadata={"description": "The trash, instead of what is not in it."})
    shared = switch(
        load_default=False, metadata={"description": "What others share with you, instead of what is yours."}
    )


class AssetPatchBody(Body):
    """What can be changed; what is not sent stays."""

    title = Text(shortest=1, longest=LONGEST_NAME)
    description = Text(longest=LONGEST_DESCRIPTION, lines=True)
    tags = tags_field()
    visibility = choice(*VISIBILITIES)


class RenditionSchema(Schema):
    """One rendition that can be watched. Audio has no size and no frame rate.

    `segments_ready` of its `segments` are made: all, unless the asset is watched while it is made. `when` tells whether
    it is made in any case (`eager`) or when somebody watches it (`on_demand`).
    """

    name = fields.String(required=True)
    width = fields.Integer(required=True, allow_none=True)
    height = fields.Integer(required=True, allow_none=True)
    frame_rate = fields.Float(required=True, allow_none=True)
    bitrate_bps = fields.Integer(required=True, allow_none=True)
    codecs = fields.String(required=True, allow_none=True)
    when = choice("eager", "on_demand")
    segments = fields.Integer(required=True, allow_none=True)
    segments_ready = fields.Integer(required=True, allow_none=True)
    mp4_url = fields.String(required=True, allow_none=True)


class AssetLinksSchema(Schema):
    """Where to go on; `watch` is for people."""

    self = fields.String(required=True)
    playback = fields.String(required=True)
    upload = fields.String(required=True, allow_none=True)
    job = fields.String(required=True, allow_none=True)
    watch = fields.String(required=True)


class PublicAssetSchema(Schema):
    """The public view of an asset: what everyone may know of one that is public or unlisted, and no more.

    What is not known yet is null. `thumbnail_url` and the captions' addresses are opened like those of playback.
    """

    class Meta:
        """Nothing else: it tells the views apart."""

        unknown = RAISE

    id = fields.String(required=True)
    title = fields.String(required=True)
    description = fields.String(required=True)
    tags = fields.List(fields.String(), required=True)
    visibility = fields.String(required=True, metadata={"enum": list(VISIBILITIES)})
    state = fields.String(required=True, metadata={"enum": list(ASSET_STATES)})
    playable = fields.Boolean(required=True)
    duration_seconds = fields.Float(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    thumbnail_url = fields.String(required=True, allow_none=True)
    captions = fields.List(fields.Nested(CaptionSchema), required=True)


class AssetSchema(PublicAssetSchema):
    """One asset. What is not known yet is null.

    For those whom it is only shared with, `filename`, `sha256` and the links to upload and job are null.
    """

    class Meta:
        """Members may be added."""

        unknown = EXCLUDE

    owner = fields.String(required=True)
    progress = fields.Float(required=True, metadata={"minimum": 0, "maximum": 1})
    eta_seconds = fields.Float(required=True, allow_none=True)
    updated_at = Timestamp(required=True)
    deleted_at = Timestamp(required=True, allow_none=True)
    purge_at = Timestamp(
        required=True,
        allow_none=True,
        metadata={"description": "Until when a deleted asset can be restored; its files go afterwards."},
    )
    content_type = fields.String(required=True, allow_none=True)
    size_bytes = fields.Integer(required=True)
    sha256 = fields.String(required=True, allow_none=True)
    filename = fields.String(required=True, allow_none=True)
    profile = fields.String(required=True, allow_none=True)
    media = fields.Dict(required=True, allow_none=True)
    renditions = fields.List(fields.Nested(RenditionSchema), required=True)
    preview_url = fields.String(
        required=True, allow_none=True, metadata={"description": "Some silent seconds of the video, for lists."}
    )
    poster_seconds = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "Where the owner wants the picture to be taken; null: chosen automatically."},
    )
    original = fields.Nested(OriginalSchema, required=True, allow_none=True)
    links = fields.Nested(AssetLinksSchema, required=True)
    error = fields.Nested(FaultSchema, required=True, allow_none=True)


class AssetPageSchema(PageSchema):
    """A page of assets."""

    items = fields.List(fields.Nested(AssetSchema), required=True)


class TotalsQuery(Body):
    """Whose assets."""

    owner = owner_field()


class TotalsSchema(Schema):
    """How many assets there are."""

    states = fields.Dict(
        keys=fields.String(validate=validate.OneOf(ASSET_STATES)),
        values=fields.Integer(),
        required=True,
        metadata={
            "description": "For each state how many there are, without the trash.",
            "examples": [{"created": 0, "stored": 0, "processing": 1, "ready": 52, "failed": 0, "rejected": 0}],
        },
    )
    total = fields.Integer(required=True, metadata={"minimum": 0, "description": "The sum of the states."})
    deleted = fields.Integer(required=True, metadata={"minimum": 0, "description": "How many are in the trash."})
    size_bytes = fields.Integer(
        required=True, metadata={"minimum": 0, "description": "The originals' bytes, without the trash."}
    )


def totals_document(totals: Totals) -> dict[str, Any]:
    """Totals as their schema has them."""
    return {
        "states": dict(totals.states),
        "total": totals.total,
        "deleted": totals.deleted,
        "size_bytes": totals.size_bytes,
    }


def public_document(asset: Asset, playback: Playback | None) -> dict[str, Any]:
    """The public view of an asset; without `playback` (a deleted one) it shows no picture."""
    return {
        "id": asset.id,
        "title": asset.title,
        "description": asset.description,
        "tags": asset.tags,
        "visibility": asset.visibility,
        "state": asset.state,
        "playable": asset.playable,
        "duration_seconds": asset.duration_seconds,
        "created_at": asset.created_at,
        "thumbnail_url": absolute(playback.first("image")) if playback else None,
        "captions": caption_documents(asset, playback),
    }


def asset_document(
    asset: Asset, progress: Progress, playback: Playback | None, made: Mapping[str, int]
) -> dict[str, Any]:
    """An asset as its schema has it; without `playback` (a deleted one) it shows no picture. `made` are the segments
    there are of each rendition while not all of them are.
    """
    here = absolute(f"{BASE}/assets/{asset.id}")
    downloads = _downloads(playback)
    return {
        **public_document(asset, playback),
        "owner": asset.owner,
        "progress": round(progress.fraction, 4),
        "eta_seconds": progress.eta_seconds,
        "updated_at": asset.updated_at,
        "deleted_at": asset.deleted_at,
        "purge_at": asset.purge_at,
        "content_type": asset.content_type,
        "size_bytes": asset.size_bytes,
        "sha256": asset.sha256,
        "filename": asset.filename,
        "profile": asset.profile,
        "media": asset.media,
        "renditions": [_rendition(each, made, downloads) for each in (asset.shown.renditions if asset.shown else ())],
        "preview_url": absolute(playback.first("preview")) if playback else None,
        "poster_seconds": asset.poster_seconds,
        "links": {
            "self": here,
            "playback": f"{here}/playback",
            "upload": absolute(f"{BASE}/uploads/{asset.upload_id}"),
            "job": absolute(f"{BASE}/jobs/{asset.job_id}") if asset.job_id else None,
            "watch": f"{base_url()}/#/watch/{asset.id}",
        },
        "original": {"state": original_state(asset), "wanted": asset.original_wanted},
        "error": fault_document(asset.error),
    }


def viewers_document(document: dict[str, Any]) -> dict[str, Any]:
    """The document as those get it whom the asset is shared with.

    The owner shared a video, not the file that it came from: its name is written by one person for themselves, its hash
    tells who else has it, and upload and job are 404 for others.
    """
    links = document["links"] | {"upload": None, "job": None}
    hidden = {"filename": None, "sha256": None, "original": None, "links": links}
    return document | hidden


def _rendition(
    rendition: Mapping[str, Any], made: Mapping[str, int], downloads: Mapping[str, str | None]
) -> dict[str, Any]:
    names = ("name", "width", "height", "frame_rate", "bitrate_bps", "codecs", "segments")
    facts = {name: rendition.get(name) for name in names}
    return {
        **facts,
        "when": rendition.get("when", "eager"),
        "segments_ready": made.get(rendition["name"], facts["segments"]),
        "mp4_url": downloads.get(rendition["name"]),
    }


def _downloads(playback: Playback | None) -> dict[str, str | None]:
    """The addresses of renditions as files to keep, by their names."""
    if playback is None:
        return {}
    kept = ((output, *output.name.rpartition(".")) for output in playback.outputs if output.kind == "download")
    return {name: absolute(playback.path(output)) for output, name, _, end in kept if end in ("mp4", "m4a")}
