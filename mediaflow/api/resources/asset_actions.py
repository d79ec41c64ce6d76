"""What becomes of an asset after publishing: deleted, restored, processed again."""

from __future__ import annotations

from typing import Any

from flask import Response

from mediaflow.api.http.context import BASE, caller, runtime
from mediaflow.api.http.resource import Resource
from mediaflow.api.resources.assets import asset_answer
from mediaflow.api.schemas.actions import DeleteQuery, ReprocessBody
from mediaflow.api.schemas.assets import AssetSchema

blueprint = Resource(
    "asset-actions", __name__, url_prefix=f"{BASE}/assets", description="Deleting, restoring, processing again."
)


@blueprint.operation("DELETE", "/<id:asset_id>", query=DeleteQuery, gives={204: None}, fails=(409,))
def delete_asset(query: dict[str, Any], asset_id: str) -> None:
    """Delete an asset.

    It is not listed, read or streamed any more, and work on it ends. It can be restored for a while, unless `purge` is
    true. Of a file that is still on its way nothing is left at once. Repeating does no harm.
    """
    runtime().trash.delete(caller(), asset_id, purge=query["purge"])


@blueprint.operation("POST", "/<id:asset_id>/restore", gives={200: AssetSchema})
def restore_asset(asset_id: str) -> Response:
    """Take a delete back.

    Work that the delete interrupted begins again. 404 when it is too late. Repeating does no harm.
    """
    return asset_answer(runtime().trash.restore(caller(), asset_id))


@blueprint.operation("POST", "/<id:asset_id>/reprocess", takes=ReprocessBody, gives={202: AssetSchema}, fails=(409,))
def reprocess_asset(body: dict[str, Any], asset_id: str) -> tuple[Response, int] | Response:
    """Process an asset again, with another profile if you like.

    The asset is `processing` meanwhile and, if it was `playable`, plays what it played until the new generation is
    published. When that fails, it is `ready` as before, and `error` tells why. With `renditions` sizes are added or
    dropped. 409 while it is processed already.
    """
    answer = asset_answer(runtime().reprocess.asset(caller(), asset_id, body.get("profile"), body.get("renditions")))
    answer.status_code = 202
    return answer
