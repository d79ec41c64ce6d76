"""Raw bodies: read in blocks, never whole; what stays unread when a request fails is drained, within limits."""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from flask import request
from werkzeug.exceptions import BadRequest, LengthRequired, RequestTimeout
from werkzeug.wsgi import get_input_stream

from mediaflow.api.http.context import caller_if_any, runtime, web
from mediaflow.domain.errors import InvalidInput, Problem, Unavailable

BLOCK_BYTES: Final = 1024 * 1024
DRAIN_SECONDS: Final = 10.0
DRAIN_SECONDS_WHEN_BUSY: Final = 2.0
DRAIN_QUIET_SECONDS: Final = 1.0
"""A client that sends nothing for so long is waiting for the answer, not sending."""
DRAIN_BYTES_OF_STRANGERS: Final = BLOCK_BYTES
_DIGEST: Final = re.compile(r"\s*([a-z0-9*_.-]+)=:([A-Za-z0-9+/=]*):\s*")
"""A member of a dictionary of RFC 8941 whose value is a byte sequence, as RFC 9530 has it."""


class _Full(Unavailable):
    """All places for bodies are taken."""

    default_code = "limit.concurrent_uploads"
    retry_after_seconds = 1


@contextmanager
def body_slot() -> Iterator[None]:
    """A place among the bodies that this process receives at once; Unavailable (503) when all are taken."""
    slots = web().body_slots
    if not slots.acquire(blocking=False):
        raise _Full("Too many chunks are arriving at once; send this one again in a moment.")
    try:
        yield
    finally:
        slots.release()


def blocks() -> Iterator[bytes]:
    """The request's body in blocks of at most 1 MiB."""
    if _is_chunked() and not request.environ.get("wsgi.input_terminated"):
        raise LengthRequired("Send a Content-Length: this server can't tell where a chunked body ends.")
    # not `request.stream`, which has the limit of JSON bodies; how long a chunk may be is known by the service
    stream, announced, arrived = get_input_stream(request.environ), request.content_length, 0
    while True:
        try:
            block = stream.read(BLOCK_BYTES)
        except (BlockingIOError, TimeoutError) as error:
            raise RequestTimeout("The body stopped arriving.") from error
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


def drain(*, busy: bool) -> None:
    """Read what is left of a failed request's body, bounded in bytes, time and silence.

    Many clients look for the answer only after sending everything, and a connection that is closed on unread bytes is
    reset before they see it. With `busy`, threads are scarce: then less time is spent on it.
    """
    environ = request.environ
    if not environ.get("wsgi.input_terminated") or not _has_body():
        return
    known = caller_if_any() is not None
    left = runtime().settings.max_chunk_bytes if known else DRAIN_BYTES_OF_STRANGERS
    until = time.monotonic() + (DRAIN_SECONDS_WHEN_BUSY if busy else DRAIN_SECONDS)
    with _impatient(environ.get("gunicorn.socket")):
        while left > 0 and time.monotonic() < until:
            try:
                count = len(environ["wsgi.input"].read(min(BLOCK_BYTES, left)))
            except OSError:
                return  # gone or waiting: the server closes the connection after the answer
            if count == 0:
                return
            left -= count


def _has_body() -> bool:
    return request.content_length not in (None, 0) or _is_chunked()


def _is_chunked() -> bool:
    return "chunked" in request.headers.get("Transfer-Encoding", "").lower()


@contextmanager
def _impatient(socket: Any) -> Iterator[None]:
    """With reads from that socket (None: there is none) that give up early."""
    if socket is None:
        yield
        return
    before = socket.gettimeout()
    socket.settimeout(DRAIN_QUIET_SECONDS)
    try:
        yield
    finally:
        socket.settimeout(before)
