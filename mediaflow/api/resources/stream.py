"""Published files by signed path: outputs, and segments. The token in the path is the permission."""

from __future__ import annotations

from typing import Any, Final

from flask import Response, request

from mediaflow.api.http.awaiting import is_asked_again, wait_for
from mediaflow.api.http.context import runtime
from mediaflow.api.http.cors import STREAM, share
from mediaflow.api.http.files import REQUEST_HEADERS, answered
from mediaflow.api.http.resource import Resource
from mediaflow.services.delivery.awaiting import NotMade

blueprint = Resource("stream", __name__, url_prefix="/stream", description="Published files.")

_BYTES: Final = {"schema": {"type": "string", "format": "binary"}}
_ANSWER: Final[dict[str, Any]] = {
    "content": {"application/vnd.apple.mpegurl": _BYTES, "video/mp4": _BYTES, "image/jpeg": _BYTES},
}
_ELSEWHERE: Final[dict[str, Any]] = {
    "description": "The storage sends this file, at a URL that is valid for a minute.",
    "headers": {"Location": {"required": True, "schema": {"type": "string", "format": "uri"}}},
}


@blueprint.operation(
    "GET",
    "/<token>/<id:asset_id>/<path:path>",
    gives={200: None, 206: None, 302: None, 304: None},
    fails=(412, 416, 503),
    access="open",
    parameters=REQUEST_HEADERS,
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
    return answered(file)


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
