"""Originals: the files as they were sent."""

from __future__ import annotations

import base64
from typing import Any, Final

from flask import Response

from mediaflow.api.http.context import BASE, caller, runtime
from mediaflow.api.http.files import REQUEST_HEADERS, answered
from mediaflow.api.http.resource import Resource
from mediaflow.api.resources.assets import asset_answer
from mediaflow.api.schemas.assets import AssetSchema
from mediaflow.api.schemas.originals import OriginalBody
from mediaflow.services.delivery.originals import original_file

blueprint = Resource("originals", __name__, url_prefix=f"{BASE}/assets", description="Files as they were sent.")
_ANSWER: Final[dict[str, Any]] = {
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}


@blueprint.operation(
    "GET",
    "/<id:asset_id>/original",
    gives={200: None, 206: None, 304: None},
    fails=(409, 412, 416),
    scope="originals:read",
    parameters=REQUEST_HEADERS,
    responses={200: _ANSWER, 206: _ANSWER},
)
def get_original(asset_id: str) -> Response:
    """The file of an asset as it was sent, or a range of it.

    For its owner and admins; 409 while it is on its way. `Repr-Digest` (RFC 9530) has its SHA-256 where that is known.
    """
    file, sha256 = original_file(runtime().database, runtime().files, caller(), asset_id)
    response = answered(file)
    if sha256 is not None:
        response.headers["Repr-Digest"] = f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"
    return response


@blueprint.operation("PATCH", "/<id:asset_id>/original", takes=OriginalBody, gives={202: AssetSchema}, fails=(409,))
def move_original(body: dict[str, Any], asset_id: str) -> Response:
    """Have the file of an asset brought to the archive or back, or deleted.

    A worker does it; the asset tells where it is (`original`). What is made of it plays on. What was deleted is gone
    for good: nothing can be made of it any more. A linked file is copied, or forgotten, and never deleted itself. 409
    when it can't be, with the reason. The last wish counts; that for where it is takes any other back.
    """
    response = asset_answer(runtime().keeping.wish(caller(), asset_id, body["state"]))
    response.status_code = 202
    return response
