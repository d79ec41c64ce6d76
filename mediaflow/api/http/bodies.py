"""Bodies: raw ones are read in blocks, never whole; each long one has a place, of which a user has a share."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from flask import request
from werkzeug.exceptions import BadRequest, LengthRequired, RequestTimeout
from werkzeug.wsgi import get_input_stream

from mediaflow.api.http.context import caller_if_any, runtime, web
from mediaflow.domain.errors import InvalidInput, Problem
from mediaflow.serving import PACE

BLOCK_BYTES: Final = 256 * 1024
"""Each body that arrives holds a few such blocks: of 1 MiB each, three of them took 12 MiB more, and were no faster."""
STRANGERS: Final = ""
"""Whose long bodies those are that come without a credential: all of them have one share."""
TOO_SLOW: Final = "The body stopped arriving, or arrives too slowly."
_DIGEST: Final = re.compile(r"\s*([a-z0-9*_.-]+)=:([A-Za-z0-9+/=]*):\s*")
"""A member of a dictionary of RFC 8941 whose value is a byte sequence, as RFC 9530 has it."""


def body_slot() -> AbstractContextManager[None]:
    """A place among the long bodies that this process receives at once; nothing when the body is here already."""
    if PACE not in request.environ:
        return nullcontext()
    principal = caller_if_any()
    return web().body_slots.held(principal.user if principal else STRANGERS)


def whole() -> bytes:
    """All of a JSON body. Raises RequestTimeout, and BadRequest when less of it came than was announced."""
    announced = request.content_length or 0
    with body_slot():
        try:
            data = request.get_data()
        except TimeoutError as error:
            raise RequestTimeout(TOO_SLOW) from error
    if len(data) < announced:
        raise cut_short(len(data), announced)
    return data


def blocks(size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The request's body in blocks of at most so many bytes."""
    if _is_chunked() and not request.environ.get("wsgi.input_terminated"):
        raise LengthRequired("Send a Content-Length: this server can't tell where a chunked body ends.")
    if (pace := request.environ.get(PACE)) and (least := runtime().settings.least_bytes_per_second):
        pace.by_rate(least)
    # not `request.stream`, which has the limit of JSON bodies; how long a chunk may be is known by the service
    stream, announced, arrived = get_input_stream(request.environ), request.content_length, 0
    while True:
        try:
            block = stream.read(size)
        except TimeoutError as error:
            raise RequestTimeout(TOO_SLOW) from error
        except OSError as error:
            raise BadRequest("The body is malformed, or the connection ended before it did.") from error
        if not block:
            if announced is not None and not _is_chunked() and arrived < announced:
                raise cut_short(arrived, announced)
            return
        arrived += len(block)
        yield block


def cut_short(arrived: int, announced: int) -> BadRequest:
    """Half a file, half a JSON document may look like a whole one: what was announced has to arrive."""
    return BadRequest(f"The connection ended after {arrived} of {announced} bytes of the body.")


def sha256_digest(header: str | None) -> bytes | None:
    """The SHA-256 of a `Content-Digest` header (RFC 9530), None when it has none; InvalidInput when it is malformed."""
    if header is None:
        return None
    digests: dict[str, str] = {}
    for member in header.split(","):
        match = _DIGEST.fullmatch(member)
        if match is None:
            raise _bad_digest(header)
        digests[match[1]] = match[2]
    if "sha-256" not in digests:
        return None  # RFC 9530 section 2: algorithms that we do not know are ignored
    try:
        digest = base64.b64decode(digests["sha-256"], validate=True)
    except binascii.Error as error:
        raise _bad_digest(header) from error
    if len(digest) != 32:
        raise _bad_digest(header)
    return digest


def _bad_digest(header: str) -> InvalidInput:
    detail = f"must be like `sha-256=:<base64 of 32 bytes>:`, not {header[:100]!r}"
    problem = Problem("upload.bad_digest", detail, "/Content-Digest")
    return InvalidInput("The Content-Digest can't be read.", code="upload.bad_digest", problems=(problem,))


def _is_chunked() -> bool:
    return "chunked" in request.headers.get("Transfer-Encoding", "").lower()
