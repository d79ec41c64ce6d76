"""Who may watch a private asset besides its owner, and ending what was given out."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from mediaflow.api.http.context import BASE, caller, runtime
from mediaflow.api.http.fields import Body, listed
from mediaflow.api.http.resource import Resource
from mediaflow.services.access.names import MAX_USER_CHARACTERS
from mediaflow.services.access.shares import MAX_SHARES

blueprint = Resource("shares", __name__, url_prefix=f"{BASE}/assets", description="Sharing private assets.")


def _user(**options: Any) -> fields.String:
    return fields.String(
        validate=validate.Length(1, MAX_USER_CHARACTERS, error="must have {min} to {max} characters"),
        error_messages={"invalid": "must be text", "null": "must not be null"},
        metadata={"description": "As in their `GET /session`.", "examples": ["bob"]},
        **options,
    )


class SharesBody(Body):
    """All whom the asset is shared with from now on."""

    users = listed(
        _user(),
        most=MAX_SHARES,
        required=True,
        metadata={"description": "Names of users, in any order. The owner needs no share and is left out."},
    )


class SharesSchema(Schema):
    """All whom the asset is shared with, in alphabetical order."""

    users = fields.List(_user(), required=True, metadata={"maxItems": MAX_SHARES})


@blueprint.operation("GET", "/<id:asset_id>/shares", gives={200: SharesSchema})
def get_shares(asset_id: str) -> dict[str, Any]:
    """Whom an asset is shared with.

    For its owner and admins; those whom it is shared with get 403.
    """
    return {"users": runtime().shares.users(caller(), asset_id)}


@blueprint.operation("PUT", "/<id:asset_id>/shares", takes=SharesBody, gives={200: SharesSchema}, fails=(409,))
def replace_shares(body: dict[str, Any], asset_id: str) -> dict[str, Any]:
    """Share an asset with other users.

    The list replaces the one before. They may look at the asset and watch it while it is private, and change nothing.
    Taking somebody off ends the playback addresses that were given out, everybody's; those who may still watch get new
    ones.
    """
    return {"users": runtime().shares.replace(caller(), asset_id, body["users"])}


@blueprint.operation("POST", "/<id:asset_id>/revoke-playback", gives={204: None}, repeatable=False)
def revoke_playback(asset_id: str) -> None:
    """End all playback addresses that were given out.

    Those of public and unlisted assets too; whoever may watch gets new ones from the playback endpoint.
    """
    runtime().shares.revoke_playback(caller(), asset_id)
