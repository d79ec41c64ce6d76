"""A file that lies in the storage as an answer: conditions, one range, what caches need (RFC 9110, 9111)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

from flask import Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.http import parse_range_header

from mediaflow.api.http.context import runtime
from mediaflow.domain.errors import PreconditionFailed
from mediaflow.services.delivery.delivery import StreamFile


def _header(name: str, description: str) -> dict[str, Any]:
    return {"in": "header", "name": name, "required": False, "description": description, "schema": {"type": "string"}}


REQUEST_HEADERS: Final = [
    _header("Range", "One range of bytes; several are answered with the whole file."),
    _header("If-Range", "The `ETag` of the file that the range is of; the whole file when it is another one."),
    _header("If-None-Match", "The `ETag` of the file that is there already; 304 when it is still that one."),
]


def attachment(name: str) -> str:
    """`Content-Disposition` of a file that is kept and not shown, its name in UTF-8 if need be (RFC 6266)."""
    plain = "".join(character if " " <= character <= "~" and character not in '"\\' else "_" for character in name)
    told = f'attachment; filename="{plain}"'
    return told if plain == name else f"{told}; filename*=UTF-8''{quote(name, safe='')}"


def answered(file: StreamFile) -> Response:
    """The file, the range of it that is asked for, or that it is there already."""
    if "If-Match" in request.headers and not request.if_match.contains(file.etag):
        raise PreconditionFailed("This file has another ETag.", code="request.precondition_failed")
    # before any range, as RFC 9110 section 13.2.2 has it
    if request.if_none_match.contains_weak(file.etag):
        return _headed(Response(status=304), file)
    if file.internal_path is not None:
        response = Response(content_type=file.content_type, headers={"X-Accel-Redirect": file.internal_path})
        return _headed(response, file)
    return _headed(_sent(file), file)


def _sent(file: StreamFile) -> Response:
    """The bytes, from here."""
    wanted = _wanted(file)
    first, length = wanted or (0, file.size_bytes)
    if request.method != "HEAD":
        runtime().metrics.count("mediaflow_stream_bytes_total", length)
    response = Response(_body(file, first, length), 206 if wanted else 200, content_type=file.content_type)
    response.content_length = length
    if wanted:
        response.headers["Content-Range"] = f"bytes {first}-{first + length - 1}/{file.size_bytes}"
    return response


def _body(file: StreamFile, first: int, length: int) -> Iterator[bytes]:
    if request.method == "HEAD" or length == 0:
        return iter(())
    return runtime().delivery.read(file, offset=first, length=length)


def _headed(response: Response, file: StreamFile) -> Response:
    """With all that caches need. `s-maxage` forbids them to send old answers when we can't be asked (RFC 9111)."""
    response.set_etag(file.etag)
    if file.internal_path is None:  # nginx says it itself, and would keep ours beside it
        response.headers["Accept-Ranges"] = "bytes"
    response.headers["X-Content-Type-Options"] = "nosniff"
    if file.attached is not None:
        response.headers["Content-Disposition"] = attachment(file.attached)
    control = response.cache_control
    control.public, control.private = file.shared, None if file.shared else True
    if file.max_age_seconds == 0:
        control.no_cache = True
    else:
        control.max_age = file.max_age_seconds
        control.s_maxage = file.max_age_seconds if file.shared else None
    return response


def _wanted(file: StreamFile) -> tuple[int, int] | None:
    """First byte and length of the one range that is asked for (RFC 9110 section 14); None: the whole file.

    Several ranges are answered with the whole file, as the RFC allows; what is none or lies behind the end with 416.
    Ranges are defined for GET alone.
    """
    text = request.headers.get("Range", "")
    is_bytes = text.partition("=")[0].strip().lower() == "bytes"
    if request.method != "GET" or not is_bytes or "," in text or not _is_current(file):
        return None
    asked = parse_range_header(text)
    start, end = asked.ranges[0] if asked else (file.size_bytes, None)
    first = max(0, start + file.size_bytes) if start < 0 else start
    length = min(end or file.size_bytes, file.size_bytes) - first
    if length <= 0:
        raise RequestedRangeNotSatisfiable(file.size_bytes)
    return first, length


def _is_current(file: StreamFile) -> bool:
    """False when `If-Range` names another version: the whole file is the answer then. We send no dates to compare."""
    if "If-Range" not in request.headers:
        return True
    return request.headers["If-Range"].strip() == f'"{file.etag}"'
