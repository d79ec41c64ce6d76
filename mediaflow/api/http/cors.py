"""Which pages of other origins may read answers (https://fetch.spec.whatwg.org/#http-cors-protocol). Never cookies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flask import Response, request

from mediaflow.services.delivery.stream_options import ANY_ORIGIN


@dataclass(frozen=True, slots=True)
class Terms:
    """The headers that pages may read and send, and how long a browser may remember that."""

    read: str
    sent: str
    seconds: int


_TUS: Final = "Tus-Resumable, Upload-Length, Upload-Offset, Upload-Defer-Length, Upload-Metadata, Upload-Concat"
_RESUMABLE: Final = "Upload-Complete, Upload-Draft-Interop-Version"
API: Final = Terms(
    "ETag, Location, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id, Idempotency-Replayed, WWW-Authenticate, "
    f"{_TUS}, Upload-Expires, Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm, Mediaflow-Asset-Id, "
    f"{_RESUMABLE}, Upload-Limit, Accept-Patch",
    "Authorization, Content-Type, Content-Digest, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, "
    f"X-Request-Id, {_TUS}, {_RESUMABLE}, Upload-Checksum, X-HTTP-Method-Override, "
    "Content-Disposition, Repr-Digest, Prefer",
    600,
)
STREAM: Final = Terms(
    "Accept-Ranges, Content-Length, Content-Range, ETag, X-Request-Id", "Range, If-Range, If-None-Match", 86400
)


def share(response: Response, origins: frozenset[str], terms: Terms) -> None:
    """Let pages of these origins read an answer or an error, so that they can tell what is wrong."""
    if ANY_ORIGIN in origins:
        allowed: str | None = ANY_ORIGIN
    else:
        origin = request.headers.get("Origin")
        allowed = origin if origin in origins else None
        if origins:
            response.vary.add("Origin")
    if allowed is None:
        return
    headers = response.headers
    headers["Access-Control-Allow-Origin"] = allowed
    headers["Access-Control-Expose-Headers"] = terms.read
    if request.method == "OPTIONS":
        headers["Access-Control-Allow-Methods"] = headers.get("Allow", "GET")
        headers["Access-Control-Allow-Headers"] = terms.sent
        headers["Access-Control-Max-Age"] = str(terms.seconds)
