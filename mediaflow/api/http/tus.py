"""The headers of tus 1.0.0 (https://tus.io/protocols/resumable-upload): read strictly, written in one place."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, Final

from flask import Response, request
from werkzeug.exceptions import BadRequest

from mediaflow.api.http.context import BASE
from mediaflow.api.http.saying import said_of
from mediaflow.domain.errors import TooLarge
from mediaflow.domain.transfers import Transfer

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,creation-with-upload,creation-defer-length,checksum,expiration,termination,concatenation"
ALGORITHMS: Final = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}
BODY_TYPE: Final = "application/offset+octet-stream"
ROOT: Final = f"{BASE}/tus"
LONGEST_METADATA: Final = 8192
MOST_SOURCES: Final = 1000
_COUNT: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
_KEY: Final = re.compile(r"[!-+\--~]+", re.ASCII)
_ID: Final = re.compile(r"(?:https?://[^/\s]+)?\S*/tus/([0-9a-f]{32})/?")


def count_header(name: str, *, required: bool = False) -> int | None:
    """A header that is a number of bytes; BadRequest for anything else, or when one that is required is missing."""
    text = request.headers.get(name)
    if text is None and not required:
        return None
    if text is None or _COUNT.fullmatch(text) is None:
        raise BadRequest(f"`{name}` must be a number of bytes, not {(text or 'missing')[:50]!r}.")
    return int(text)


@dataclass(slots=True)
class Checksum:
    """Of the bytes of one request."""

    expected: bytes
    digest: Any

    def update(self, block: bytes, /) -> None:
        self.digest.update(block)

    def agrees(self) -> bool:
        return hmac.compare_digest(self.digest.digest(), self.expected)


def checksum_header() -> Checksum | None:
    """What `Upload-Checksum` says; BadRequest for an algorithm that is not offered, or what is no digest."""
    text = request.headers.get("Upload-Checksum")
    if text is None:
        return None
    name, _, encoded = text.strip().partition(" ")
    if name not in ALGORITHMS:
        raise BadRequest(f"`Upload-Checksum` must begin with one of {', '.join(ALGORITHMS)}, not {name[:50]!r}.")
    digest, expected = ALGORITHMS[name](), _decoded("Upload-Checksum", encoded)
    if len(expected) != digest.digest_size:
        raise BadRequest(f"`Upload-Checksum` has {len(expected)} bytes, and {name} has {digest.digest_size}.")
    return Checksum(expected, digest)


def metadata_header() -> tuple[dict[str, Any], str]:
    """What `Upload-Metadata` says of the file, as a NewUpload without its size has it; and the header as it came."""
    text = request.headers.get("Upload-Metadata", "")
    if len(text) > LONGEST_METADATA:
        raise BadRequest(f"`Upload-Metadata` has more than {LONGEST_METADATA} characters.")
    pairs: dict[str, str] = {}
    for item in filter(None, (each.strip() for each in text.split(","))):
        key, _, encoded = item.partition(" ")
        if _KEY.fullmatch(key) is None or key in pairs:
            raise BadRequest(f"`Upload-Metadata` must have distinct keys of ASCII, not {key[:50]!r} (again).")
        pairs[key] = _decoded("Upload-Metadata", encoded).decode("utf-8", "replace")
    return said_of(pairs, "`Upload-Metadata`"), text


def concat_header() -> tuple[bool, list[str]]:
    """Whether the upload is a partial one, and the ids of those that a final one is put together of."""
    text = request.headers.get("Upload-Concat")
    if text is None or text == "partial":
        return text == "partial", []
    kind, _, urls = text.partition(";")
    found = [_ID.fullmatch(url) for url in urls.split()]
    ids = [each[1] for each in found if each is not None]
    if kind != "final" or not ids or len(ids) < len(found):
        raise BadRequest("`Upload-Concat` must be `partial`, or `final;` and addresses of partial uploads.")
    if len(ids) > MOST_SOURCES:
        raise TooLarge(f"A file can be put together of at most {MOST_SOURCES} uploads.", code="upload.concat")
    return False, ids


def described(response: Response, transfer: Transfer, *, whole: bool = False) -> Response:
    """The answer with what it says of the upload; with `whole`, also what a client may have forgotten."""
    headers = response.headers
    unfinished = transfer.kind == "final" and transfer.state != "complete"
    if not unfinished:
        headers["Upload-Offset"] = str(transfer.length if transfer.state == "complete" else transfer.offset)
    if transfer.state != "complete" or transfer.kind == "partial":
        headers["Upload-Expires"] = formatdate(transfer.expires_at, usegmt=True)
    if transfer.announced:
        headers["Mediaflow-Asset-Id"] = transfer.asset_id
    if not whole:
        return response
    if transfer.length is None:
        headers["Upload-Defer-Length"] = "1"
    else:
        headers["Upload-Length"] = str(transfer.length)
    if transfer.metadata:
        headers["Upload-Metadata"] = transfer.metadata
    if transfer.kind == "partial":
        headers["Upload-Concat"] = "partial"
    elif transfer.kind == "final":
        headers["Upload-Concat"] = "final;" + " ".join(f"{ROOT}/{source}" for source in transfer.sources)
    headers["Cache-Control"] = "no-store"
    return response


def _decoded(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"`{name}` has {text[:50]!r}, which is no base64.") from error
