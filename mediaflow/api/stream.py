"""Published files by signed path: manifests, segments, images, captions. The token in the path is the permission."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from flask import Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from mediaflow.api.context import runtime
from mediaflow.api.resource import Resource
from mediaflow.services.delivery import OTHER_TYPE, StreamFile

blueprint = Resource("stream", __name__, url_prefix="/stream", description="Published files.")

_RANGE: Final = re.compile(r"(\d{0,18})-(\d{0,18})")
_BYTES: Final = {"schema": {"type": "string", "format": "binary"}}
_ANSWER: Final[dict[str, Any]] = {
    "content": {"application/vnd.apple.mpegurl": _BYTES, "video/mp4": _BYTES, "image/jpeg": _BYTES},
}
CORS_HEADERS: Final = {
    # players on any page may read streams: the path is the permission, cookies are never looked at
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Accept-Ranges, Content-Length, Content-Range, ETag",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
PREFLIGHT_HEADERS: Final = {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Range, If-Range, If-None-Match",
    "Access-Control-Max-Age": "86400",
}


@blueprint.operation(
    "GET",
    "/<token>/<id:asset_id>/<path:path>",
    gives={200: None, 206: None},
    fails=(416,),
    access="open",
    responses={200: _ANSWER, 206: _ANSWER},
)
def get_stream(token: str, asset_id: str, path: str) -> Response:
    """One published file, or a range of it."""
    file = runtime().delivery.open(token, asset_id, path)
    wanted = _wanted(file)
    if request.if_none_match.contains_weak(file.etag):
        return _headed(Response(status=304), file)
    first, length = wanted or (0, file.size_bytes)
    if request.method != "HEAD":
        runtime().metrics.count("mediaflow_stream_bytes_total", length)
    response = Response(_body(file, first, length), 206 if wanted else 200, content_type=file.content_type)
    response.content_length = length
    if wanted:
        response.headers["Content-Range"] = f"bytes {first}-{first + length - 1}/{file.size_bytes}"
    if file.content_type == OTHER_TYPE:
        response.headers["Content-Disposition"] = "attachment"
    return _headed(response, file)


def allow_other_origins(response: Response) -> Response:
    """CORS for answers and errors, so that a player on another page can tell what is wrong."""
    response.headers.update(CORS_HEADERS)
    if request.method == "OPTIONS":
        response.headers.update(PREFLIGHT_HEADERS)
    return response


blueprint.after_request(allow_other_origins)


def _body(file: StreamFile, first: int, length: int) -> Iterator[bytes]:
    if request.method == "HEAD" or length == 0:
        return iter(())
    return runtime().delivery.read(file, offset=first, length=length)


def _headed(response: Response, file: StreamFile) -> Response:
    response.set_etag(file.etag)
    response.headers["Accept-Ranges"] = "bytes"
    response.cache_control.max_age = file.max_age_seconds
    if file.shared:
        response.cache_control.public = True
    else:
        response.cache_control.private = True
    return response


def _wanted(file: StreamFile) -> tuple[int, int] | None:
    """First byte and length of the one range that is asked for (RFC 9110 section 14); None: the whole file.

    Several ranges are answered with the whole file, as the RFC allows; what is none or lies behind the end with 416.
    """
    unit, _, text = request.headers.get("Range", "").partition("=")
    if unit.strip().lower() != "bytes" or "," in text or not _is_current(file):
        return None
    match = _RANGE.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        raise RequestedRangeNotSatisfiable(file.size_bytes)
    if not match[1]:
        length = min(int(match[2]), file.size_bytes)
        first = file.size_bytes - length
    else:
        first = int(match[1])
        last = min(int(match[2]), file.size_bytes - 1) if match[2] else file.size_bytes - 1
        length = last - first + 1
        if match[2] and int(match[2]) < first:
            raise RequestedRangeNotSatisfiable(file.size_bytes)
    if length <= 0 or first >= file.size_bytes:
        raise RequestedRangeNotSatisfiable(file.size_bytes)
    return first, length


def _is_current(file: StreamFile) -> bool:
    """False when `If-Range` names another version: the whole file is the answer then. We send no dates to compare."""
    if "If-Range" not in request.headers:
        return True
    return request.headers["If-Range"].strip() == f'"{file.etag}"'
