"""What clients that append say of a file in headers, checked as the body of `POST /uploads` is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from marshmallow import ValidationError
from werkzeug.exceptions import BadRequest

from mediaflow.api.schemas.uploads import NewUploadBody, new_upload

_NAMES: Final = {
    # how clients call it: tus-js-client and Uppy send the first two of each
    "filename": ("filename", "name"),
    "content_type": ("filetype", "type", "content_type"),
    "title": ("title",),
    "description": ("description",),
    "visibility": ("visibility",),
    "profile": ("profile",),
    "sha256": ("sha256",),
    "dedup": ("dedup",),
}
_ABOUT: Final = ("title", "description", "visibility")
_NAMELESS: Final = "upload"


def said_of(pairs: Mapping[str, str], source: str) -> dict[str, Any]:
    """The pairs as a NewUpload without its size has them; BadRequest when the `source` says what can't be."""
    said = {field: next((pairs[name] for name in names if pairs.get(name)), None) for field, names in _NAMES.items()}
    about: dict[str, Any] = {field: value for field in _ABOUT if (value := said.pop(field)) is not None}
    if tags := [tag.strip() for tag in pairs.get("tags", "").split(",") if tag.strip()]:
        about["tags"] = tags
    body = {name: value for name, value in said.items() if value is not None}
    body.setdefault("filename", _NAMELESS)
    try:
        checked = NewUploadBody().load({**body, "size_bytes": 1, "metadata": about})
    except ValidationError as error:
        raise BadRequest(f"{source} can't be taken: {error.messages}") from error
    new = new_upload(checked)
    return {
        "filename": new.filename,
        "content_type": new.content_type,
        "sha256": new.sha256,
        "profile": new.profile,
        "dedup": "link" if new.dedup == "reuse" else new.dedup,
        "title": new.title,
        "description": new.description,
        "tags": list(new.tags),
        "visibility": new.visibility,
    }
