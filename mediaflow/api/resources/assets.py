"""Assets: look and change. What else can be done with one is in `asset_actions.py`.

An asset's `ETag` is the revision of its metadata; progress does not change it.
"""

from __future__ import annotations

from typing import Any, Final

from flask import Response, jsonify

from mediaflow.api.http.context import BASE, caller, caller_if_any, runtime
from mediaflow.api.http.preconditions import IF_MATCH, expected_revisions
from mediaflow.api.http.resource import Resource
from mediaflow.api.schemas.assets import (
    AssetListQuery,
    AssetPageSchema,
    AssetPatchBody,
    AssetSchema,
    PublicAssetSchema,
    TotalsQuery,
    TotalsSchema,
    asset_document,
    public_document,
    totals_document,
    viewers_document,
)
from mediaflow.api.schemas.common import page_document
from mediaflow.api.schemas.plan import AssetPlanSchema, plan_document
from mediaflow.api.schemas.uploads import without_repeats
from mediaflow.domain.records import Asset
from mediaflow.services.access.permissions import may_change, may_read
from mediaflow.services.assets.listing import AssetQuery

blueprint = Resource("assets", __name__, url_prefix=f"{BASE}/assets", description="What uploads became.")

_SCHEMA: Final = AssetSchema()
_PUBLIC_SCHEMA: Final = PublicAssetSchema()


@blueprint.operation("GET", "", query=AssetListQuery, gives={200: AssetPageSchema})
def list_assets(query: dict[str, Any]) -> dict[str, Any]:
    """List your assets, an admin everybody's; or the trash; or what others share with you.

    Pages are made anew for each request: what is uploaded meanwhile moves the others on.
    """
    return page_document(runtime().listing.assets(caller(), AssetQuery(**query)), _document)


@blueprint.operation("GET", "/totals", query=TotalsQuery, gives={200: TotalsSchema})
def count_assets(query: dict[str, Any]) -> dict[str, Any]:
    """How many assets you have in each state, an admin how many there are.

    Deleted ones are counted apart; `size_bytes` is the sum of the originals.
    """
    return totals_document(runtime().listing.totals(caller(), **query))


@blueprint.operation(
    "GET",
    "/<id:asset_id>",
    gives={200: {"oneOf": [AssetSchema, PublicAssetSchema]}},
    access="optional",
    scope="assets:read",
)
def get_asset(asset_id: str) -> Response:
    """One asset with its state, progress and renditions; of a public or unlisted one, everybody gets the public view.

    What is not known yet is null. `ETag` is the metadata's revision: progress does not change it.
    """
    principal = caller_if_any()
    asset = runtime().library.asset(principal, asset_id)
    if principal is not None and may_read(principal, asset):
        answer = asset_answer(asset)
    else:
        # no ETag: it would be the same as that of the owner's view, which differs
        answer = jsonify(_PUBLIC_SCHEMA.dump(public_document(asset, runtime().delivery.addresses(asset))))
    answer.vary.update(("Authorization", "Cookie"))
    return answer


@blueprint.operation(
    "PATCH",
    "/<id:asset_id>",
    takes=AssetPatchBody,
    gives={200: AssetSchema},
    fails=(409, 412),
    parameters=[IF_MATCH],
)
def update_asset(body: dict[str, Any], asset_id: str) -> Response:
    """Change title, description, tags or visibility.

    What is not sent stays as it is. A change of visibility ends every stream token that was given out before.
    """
    if "tags" in body:
        body["tags"] = without_repeats(body["tags"])
    return asset_answer(runtime().editing.change(caller(), asset_id, body, revisions=expected_revisions()))


@blueprint.operation("GET", "/<id:asset_id>/plan", gives={200: AssetPlanSchema}, fails=(409,))
def get_plan(asset_id: str) -> dict[str, Any]:
    """What an asset is made into, and why.

    Every rendition and what is there of it, what of the profile is left out, every task with its parts; of the newest
    generation that is planned. For its owner. 409 before it is planned.
    """
    return plan_document(runtime().plans.of(caller(), asset_id))


def _document(asset: Asset) -> dict[str, Any]:
    playback = runtime().delivery.addresses(asset) if asset.deleted_at is None else None
    library = runtime().library
    document = asset_document(asset, library.progress(asset), playback, library.made(asset))
    return document if may_change(caller(), asset) else viewers_document(document)


def asset_answer(asset: Asset) -> Response:
    """An asset as its operations answer it, with the `ETag` of its metadata."""
    response = jsonify(_SCHEMA.dump(_document(asset)))
    response.set_etag(str(asset.metadata_rev))
    return response
