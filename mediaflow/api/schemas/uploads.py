"""Uploads, as they are announced and as they stand."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import Schema, ValidationError, fields

from mediaflow.api.http.fields import Body, Text, Timestamp, Truth, choice, inner, listed, matching, number, whole
from mediaflow.api.schemas.common import FaultSchema
from mediaflow.domain.states import VISIBILITIES
from mediaflow.services.uploads.acceptance import MAX_CHUNKS, NewUpload
from mediaflow.services.uploads.direct import MOST

LONGEST_NAME: Final = 255
LONGEST_DESCRIPTION: Final = 10_000
LONGEST_TAG: Final = 64
MOST_TAGS: Final = 50
LARGEST_NUMBER: Final = 2**53
"""Beyond it, JSON numbers are not exact everywhere."""
_MEDIA_TYPE: Final = r"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}( *;[\x20-\x7e]{0,128})?"
_SHA256: Final = r"[0-9a-fA-F]{64}"


def _size(value: int) -> None:
    if not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
        raise ValidationError("is no size of a file")


def _chunk_size(value: int) -> None:
    if value < 1:
        raise ValidationError(f"must be at least 1 byte, not {value}")
    if value > LARGEST_NUMBER:
        raise ValidationError("is no size of a chunk")


def tags_field() -> fields.List[Any]:
    """A list of short texts."""
    return listed(Text(shortest=1, longest=LONGEST_TAG), most=MOST_TAGS)


def without_repeats(tags: list[str]) -> list[str]:
    """Each tag once, in the given order."""
    return list(dict.fromkeys(tags))


class MetadataBody(Body):
    """What the asset will say."""

    title = Text(
        shortest=1,
        longest=LONGEST_NAME,
        allow_none=True,
        metadata={"description": "When left out, the file's name without its ending."},
    )
    description = Text(longest=LONGEST_DESCRIPTION, lines=True)
    tags = tags_field()
    visibility = choice(*VISIBILITIES)


class FileBody(Body):
    """What may be said of a file, however it comes."""

    content_type = matching(_MEDIA_TYPE, "must be a media type such as video/mp4", allow_none=True)
    sha256 = matching(_SHA256, "must be 64 hex digits", allow_none=True)
    profile = Text(
        shortest=1, longest=100, allow_none=True, metadata={"description": "How it is encoded; null: chosen for it."}
    )
    dedup = choice(
        "link",
        "reuse",
        "off",
        load_default="link",
        metadata={
            "description": "What happens with bytes that you sent before: `link` makes an asset that shares them, "
            "`reuse` answers with the existing asset (needs `sha256`), `off` makes no difference."
        },
    )
    metadata = inner(MetadataBody, allow_none=True)


class NewUploadBody(FileBody):
    """A file that will be sent."""

    filename = Text(shortest=1, longest=LONGEST_NAME, required=True, metadata={"examples": ["holiday.mov"]})
    # what is too small or too large is said by the service, which knows the limit
    size_bytes = whole(required=True, validate=_size, metadata={"minimum": 1, "examples": [104857600]})
    chunk_size_bytes = whole(
        allow_none=True,
        validate=_chunk_size,
        metadata={"minimum": 1, "maximum": LARGEST_NUMBER, "description": "A wish; the answer tells what counts."},
    )
    auto_complete = Truth(load_default=True, metadata={"description": "Complete with the last chunk."})
    mode = choice(
        "chunked",
        "direct",
        load_default="chunked",
        metadata={
            "description": "How the bytes come: `chunked` through this API, `direct` to the storage, by URLs of `GET "
            "/uploads/{id}/parts`, where it can sign such (`upload.mode` else)."
        },
    )


def new_upload(body: dict[str, Any]) -> NewUpload:
    """The announced file of a checked body."""
    metadata = body.get("metadata") or {}
    sha256 = body.get("sha256")
    return NewUpload(
        filename=body["filename"],
        size_bytes=body["size_bytes"],
        content_type=body.get("content_type"),
        sha256=sha256.lower() if sha256 else None,
        chunk_size_bytes=body.get("chunk_size_bytes"),
        profile=body.get("profile"),
        dedup=body["dedup"],
        auto_complete=body["auto_complete"],
        direct=body.get("mode") == "direct",
        title=metadata.get("title"),
        description=metadata.get("description", ""),
        tags=tuple(without_repeats(metadata.get("tags", []))),
        visibility=metadata.get("visibility", "private"),
    )


class UploadLinksSchema(Schema):
    """Where to go on. `chunk` holds `{index}` where the index goes."""

    self = fields.String(required=True)
    chunk = fields.String(required=True)
    parts = fields.String(required=True, allow_none=True, metadata={"description": "Of a direct upload."})
    complete = fields.String(required=True)
    asset = fields.String(required=True)


class UploadSchema(Schema):
    """An accepted upload. The chunk size is the server's: every chunk but the last has it."""

    upload_id = fields.String(required=True)
    asset_id = fields.String(required=True)
    chunk_size_bytes = fields.Integer(required=True)
    chunk_count = fields.Integer(required=True)
    state = fields.String(required=True)
    expires_at = Timestamp(
        required=True, metadata={"description": "When what has come is dropped; soon, as long as no chunk has come."}
    )
    deduplicated = fields.Boolean(required=True)
    links = fields.Nested(UploadLinksSchema, required=True)


class UploadStatusSchema(UploadSchema):
    """How far an upload is. `missing` are ranges of chunk indexes, first and last included."""

    filename = fields.String(required=True)
    size_bytes = fields.Integer(required=True)
    progress = fields.Float(required=True)
    missing = fields.List(fields.List(fields.Integer()), required=True)
    sha256 = fields.String(required=True, allow_none=True)
    error = fields.Nested(FaultSchema, required=True, allow_none=True)

    class Meta:
        """Only an answer to the announcement says this."""

        exclude = ("deduplicated",)


class PartsQuery(Body):
    """Which parts."""

    first = number(load_default=0, validate=lambda value: _within(value, 0, MAX_CHUNKS), metadata={"minimum": 0})
    count = number(
        load_default=100, validate=lambda value: _within(value, 1, MOST), metadata={"minimum": 1, "maximum": MOST}
    )


class DirectPartSchema(Schema):
    """One part: `size_bytes` bytes of the file from `index * chunk_size_bytes` on."""

    index = fields.Integer(required=True)
    size_bytes = fields.Integer(required=True)
    url = fields.String(required=True, metadata={"description": "PUT it there; whoever has this can."})
    received = fields.Boolean(required=True)


class DirectPartListSchema(Schema):
    """Some parts, and until when their URLs are good."""

    items = fields.List(fields.Nested(DirectPartSchema), required=True)
    expires_at = Timestamp(required=True)


def _within(value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValidationError(f"must be {least} to {most}, not {value}")


class ChunkSchema(Schema):
    """What was received."""

    index = fields.Integer(required=True)
    received_bytes = fields.Integer(required=True)
    received_chunks = fields.Integer(required=True)
    chunk_count = fields.Integer(required=True)
    duplicate = fields.Boolean(required=True)


class CompletedSchema(Schema):
    """The asset that the upload becomes."""

    asset_id = fields.String(required=True)
    state = fields.String(required=True)
