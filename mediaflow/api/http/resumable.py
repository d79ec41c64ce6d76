"""The headers of Resumable Uploads for HTTP (draft-ietf-httpbis-resumable-upload), and the versions that are spoken.

Fields are structured (RFC 9651), and one whose value is not of its type counts as absent, as the draft wants it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from flask import Response, request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType
from werkzeug.http import parse_options_header

from mediaflow.api.http.bodies import sha256_digest
from mediaflow.api.http.context import BASE, runtime
from mediaflow.api.http.errors import problem
from mediaflow.api.http.saying import said_of
from mediaflow.domain.transfers import Transfer
from mediaflow.serving import INTERIM

VERSIONS: Final = (6, 10)
"""Interop versions: that of draft 05, which iOS 17 and macOS 14 send (URLSession), and that of draft 13 and later."""
ROOT: Final = f"{BASE}/resumable"
BODY_TYPE: Final = "application/partial-upload"
SUPPORTED: Final = "104 Upload Resumption Supported"
TOLD_SECONDS: Final = 1.0
"""As often as this a client is told how much is kept."""
_VERSION: Final = "Upload-Draft-Interop-Version"
_TYPES: Final = "https://iana.org/assignments/http-problem-types#"
_PARAMETERS: Final = r"(?:\s*;.*)?"
_COUNT: Final = re.compile(rf"([0-9]{{1,15}}){_PARAMETERS}", re.ASCII)
_BOOLEAN: Final = re.compile(rf"\?([01]){_PARAMETERS}", re.ASCII)


def version() -> int | None:
    """The interop version of the request, if it is one of ours."""
    said = count(_VERSION)
    return said if said in VERSIONS else None


def count(name: str) -> int | None:
    """A field that is a number of bytes."""
    match = _COUNT.fullmatch(request.headers.get(name, "").strip())
    return int(match[1]) if match else None


def is_last() -> bool | None:
    """What `Upload-Complete` says: whether this request's content is all that was missing."""
    match = _BOOLEAN.fullmatch(request.headers.get("Upload-Complete", "").strip())
    return match[1] == "1" if match else None


def said() -> dict[str, Any]:
    """What a request that begins an upload says of the file, as a NewUpload without its size has it."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("Send the file as it is, without `Content-Encoding`.")
    _, options = parse_options_header(request.headers.get("Content-Disposition", ""))
    pairs = {name: value for name, value in request.args.items() if value}
    for name, value in (("filename", options.get("filename")), ("filetype", request.mimetype)):
        if value:
            pairs.setdefault(name, value)
    if digest := sha256_digest(request.headers.get("Repr-Digest")):
        pairs["sha256"] = digest.hex()
    return said_of(pairs, "`Content-Disposition`, `Content-Type` or the query")


@dataclass(slots=True)
class ContentDigest:
    """What `Content-Digest` (RFC 9530) says of the bytes of one request."""

    expected: bytes
    digest: Any = field(default_factory=hashlib.sha256)

    def update(self, block: bytes, /) -> None:
        self.digest.update(block)

    def agrees(self) -> bool:
        return hmac.compare_digest(self.digest.digest(), self.expected)


def content_digest() -> ContentDigest | None:
    """That of this request."""
    expected = sha256_digest(request.headers.get("Content-Digest"))
    return ContentDigest(expected) if expected else None


def limits(transfer: Transfer | None = None) -> str:
    """`Upload-Limit`: of any upload, or of this one."""
    most = f"max-size={runtime().settings.max_upload_bytes}"
    if transfer is None or transfer.state == "complete":
        return most
    left = max(0, int(transfer.expires_at - runtime().database.now()))
    # how draft 05 calls the same
    return f"{most}, {'expires' if version() == VERSIONS[0] else 'max-age'}={left}"


def announced(transfer: Transfer, where: str) -> None:
    """Tell a client that reads interim answers where its upload is, before its bytes come."""
    _say({"Location": where, "Upload-Limit": limits(transfer)})


def progress() -> Callable[[int], None]:
    """What tells such a client how much is kept, not too often."""
    told = time.monotonic()

    def tell(offset: int) -> None:
        nonlocal told
        if time.monotonic() - told >= TOLD_SECONDS:
            told = time.monotonic()
            _say({"Upload-Offset": str(offset)})

    return tell


def _say(headers: dict[str, str]) -> None:
    say, spoken = request.environ.get(INTERIM), version()
    if say is not None and spoken is not None:
        say(SUPPORTED, {_VERSION: str(spoken), **headers})


def described(response: Response, transfer: Transfer) -> Response:
    """The answer with what it says of the upload."""
    headers = response.headers
    headers["Upload-Offset"] = str(transfer.offset if transfer.state != "complete" else transfer.length)
    headers["Upload-Complete"] = "?1" if transfer.state == "complete" else "?0"
    headers["Upload-Limit"] = limits(transfer)
    if transfer.length is not None:
        headers["Upload-Length"] = str(transfer.length)
    if transfer.announced:
        headers["Mediaflow-Asset-Id"] = transfer.asset_id
    headers["Cache-Control"] = "no-store"
    return response


def refused(kind: str, transfer: Transfer, detail: str, **members: int) -> Response:
    """An answer of one of the draft's problem types."""
    status, code = {"mismatching-upload-offset": (409, "upload.offset")}.get(kind, (400, "upload.length"))
    response = problem(status, code, detail, members={"type": _TYPES + kind, **members})
    described(response, transfer)
    # this request completed nothing, whatever an earlier one did
    response.headers["Upload-Complete"] = "?0"
    return response


def length_of(offset: int, *, last: bool) -> int | None:
    """The length of the whole, as the request says it in one way or two; BadRequest when they differ."""
    told, size = count("Upload-Length"), request.content_length
    ends = offset + size if last and size is not None else None
    if told is not None and ends is not None and told != ends:
        raise BadRequest(f"`Upload-Length` is {told}, and with this content it is {ends}.")
    return told if ends is None else ends


def with_version(response: Response) -> Response:
    """The answer in the version in which it was asked."""
    if (spoken := version()) is not None:
        response.headers[_VERSION] = str(spoken)
    if response.status_code == 413:
        response.headers.setdefault("Upload-Limit", limits())
    return response
