"""Published files by signed path: outputs, and segments. The token in the path is the permission."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from flask import Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.http import parse_range_header

from mediaflow.api.http.awaiting import is_asked_again, wait_for
from mediaflow.api.http.context import runtime
from mediaflow.api.http.cors import STREAM, share
from mediaflow.api.http.resource import Resource
from mediaflow.domain.errors import PreconditionFailed
from mediaflow.services.delivery.awaiting import NotMade
from mediaflow.services.delivery.delivery import StreamFile

blueprint = Resource("stream", __name__, url_prefix="/stream", description="Published files.")

_BYTES: Final = {"schema": {"type": "string", "format": "binary"}}
_ANSWER: Final[dict[str, Any]] = {
    "content": {"application/vnd.apple.mpegurl": _BYTES, "video/mp4": _BYTES, "image/jpeg": _BYTES},
}
_ELSEWHERE: Final[dict[str, Any]] = {
    "description": "The storage sends this file, at a URL that is valid for a minute.",
    "headers": {"Location": {"required": True, "schema": {"type": "string", "format": "uri"}}},
}


def _header(name: str, description: str) -> dict[str, Any]:
    return {"in": "header", "name": name, "required": False, "description": description, "schema": {"type": "string"}}


_REQUEST_HEADERS: Final = [
    _header("Range", "One range of bytes; several are answered with the whole file."),
    _header("If-Range", "The `ETag` of the file that the range is of; the whole file when it is another one."),
    _header("If-None-Match", "The `ETag` of the file that is there already; 304 when it is still that one."),
]


@blueprint.operation(
    "GET",
    "/<token>/<id:asset_id>/<path:path>",
    gives={200: None, 206: None, 302: None, 304: None},
    fails=(412, 416, 503),
    access="open",
    parameters=_REQUEST_HEADERS,
    responses={200: _ANSWER, 206: _ANSWER, 302: _ELSEWHERE},
)
def get_stream(token: str, asset_id: str, path: str) -> Response:
    """One published file, or a range of it.

    The path is the permission: playback addresses begin with it. Its token opens one asset, for a few hours, until its
    privacy changes. A segment that is being made is waited for, up to 9 s.
    """
    delivery = runtime().delivery
    try:
        place = delivery.admit(token, asset_id, path, request.remote_addr or "", begins=request.method == "GET")
    except NotMade as error:
        _await(error)
        raise
    # a presigned URL is signed for GET
    if request.method == "GET" and (url := delivery.elsewhere(place)):
        return Response(status=302, headers={"Location": url, "Cache-Control": "no-store"})
    file = delivery.file(place)
    if "If-Match" in request.headers and not request.if_match.contains(file.etag):
        raise PreconditionFailed("This file has another ETag.", code="request.precondition_failed")
    # before any range, as RFC 9110 section 13.2.2 has it
    if request.if_none_match.contains_weak(file.etag):
        return _headed(Response(status=304), file)
    if file.internal_path is not None:
        response = Response(content_type=file.content_type, headers={"X-Accel-Redirect": file.internal_path})
        return _headed(response, file)
    return _headed(_sent(file), file)


def _await(missing: NotMade) -> None:
    """Have it made, and this request asked again then, unless that can't be had now. hls.js asks for the sound only
    when it has the picture: that is begun meanwhile (a seek took 1.2 s less, measured).
    """
    asked_again = is_asked_again(request.environ)
    if not asked_again:
        runtime().metrics.count("mediaflow_demand_requests_total")
    if runtime().demand.want(missing.wanted, _may_begin):
        if missing.sound is not None and not asked_again:
            runtime().demand.want(missing.sound, _may_begin)
        wait_for(request.environ, runtime().awaiting, missing.awaited)
    elif not asked_again:
        runtime().awaiting.ended("refused", 0.0)


def _may_begin() -> bool:
    return runtime().rate_limits.piece(request.remote_addr or "")


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
        response.headers["Content-Disposition"] = f'attachment; filename="{file.attached}"'
    control = response.cache_control
    control.public, control.private = file.shared, None if file.shared else True
    if file.max_age_seconds == 0:
        control.no_cache = True
    else:
        control.max_age = file.max_age_seconds
        control.s_maxage = file.max_age_seconds if file.shared else None
    return response


# --- ranges


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


# --- other origins


def allow_other_origins(response: Response) -> Response:
    """Other pages may read answers and errors, as the operator set it.

    The path is the permission and cookies are never looked at, so that by default any page may read streams.
    """
    origins = runtime().delivery.options.origins
    share(response, origins, STREAM)
    # pages elsewhere show images, and Safari plays, without asking as CORS does: only a policy of ours can forbid that
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin" if origins else "same-origin"
    return response


blueprint.after_request(allow_other_origins)
