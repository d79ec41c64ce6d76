"""Assets: look, change, delete softly, restore.

An asset's `ETag` is the revision of its metadata; progress does not change it.
"""

from __future__ import annotations

from typing import Any, Final

from flask import Response, jsonify, request

from mediaflow.api.context import BASE, caller, runtime
from mediaflow.api.resource import Resource
from mediaflow.api.schemas_assets import (
    AssetListQuery,
    AssetPageSchema,
    AssetPatchBody,
    AssetSchema,
    asset_document,
)
from mediaflow.api.schemas_common import page_document
from mediaflow.api.schemas_uploads import without_repeats
from mediaflow.domain.records import Asset
from mediaflow.services.listing import AssetQuery

blueprint = Resource("assets", __name__, url_prefix=f"{BASE}/assets", description="What uploads became.")

_SCHEMA: Final = AssetSchema()
_IF_MATCH: Final = {
    "in": "header",
    "name": "If-Match",
    "required": False,
    "description": "The `ETag` that the change is based on; 412 when the asset was changed since.",
    "schema": {"type": "string"},
}


@blueprint.operation("GET", "", query=AssetListQuery, gives={200: AssetPageSchema})
def list_assets(query: dict[str, Any]) -> dict[str, Any]:
    """List assets, an admin everybody's."""
    return page_document(runtime().listing.assets(caller(), AssetQuery(**query)), _document)


@blueprint.operation("GET", "/<id:asset_id>", gives={200: AssetSchema})
def get_asset(asset_id: str) -> Response:
    """One asset with its state, progress and renditions."""
    return _answer(runtime().library.asset(caller(), asset_id))


@blueprint.operation(
    "PATCH",
    "/<id:asset_id>",
    takes=AssetPatchBody,
    gives={200: AssetSchema},
    fails=(409, 412),
    parameters=[_IF_MATCH],
)
def update_asset(body: dict[str, Any], asset_id: str) -> Response:
    """Change title, description, tags or visibility."""
    if "tags" in body:
        body["tags"] = without_repeats(body["tags"])
    return _answer(runtime().editing.change(caller(), asset_id, body, revisions=_expected_revisions()))


@blueprint.operation("DELETE", "/<id:asset_id>", gives={204: None})
def delete_asset(asset_id: str) -> None:
    """Delete an asset softly.

    It is not listed, read or streamed any more, and can be restored.
    """
    runtime().trash.delete(caller(), asset_id)


@blueprint.operation("POST", "/<id:asset_id>/restore", gives={200: AssetSchema})
def restore_asset(asset_id: str) -> Response:
    """Take a delete back."""
    return _answer(runtime().trash.restore(caller(), asset_id))


def _expected_revisions() -> frozenset[int] | None:
    """The revisions that `If-Match` allows; None when any will do. Weak tags never match (RFC 9110 section 13.1.1)."""
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return None
    return frozenset(int(tag) for tag in request.if_match.as_set() if tag.isdecimal() and len(tag) < 12)


def _document(asset: Asset) -> dict[str, Any]:
    playback = runtime().delivery.addresses(asset) if asset.deleted_at is None else None
    return asset_document(asset, runtime().library.progress(asset), playback)


def _answer(asset: Asset) -> Response:
    response = jsonify(_SCHEMA.dump(_document(asset)))
    response.set_etag(str(asset.metadata_rev))
    return response
