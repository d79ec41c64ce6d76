"""What I have, and may have."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from mediaflow.api.http.context import BASE, caller, runtime
from mediaflow.api.http.resource import Resource

blueprint = Resource("usage", __name__, url_prefix=f"{BASE}/usage", description="Quotas.")


class QuotaSchema(Schema):
    """Used, and the limit; null when there is none."""

    used = fields.Integer(required=True, metadata={"minimum": 0})
    limit = fields.Integer(required=True, allow_none=True, metadata={"minimum": 1})


class UsageSchema(Schema):
    """Announced, stored and deleted assets count until they are purged, each with the size of its original."""

    assets = fields.Nested(QuotaSchema, required=True)
    bytes = fields.Nested(QuotaSchema, required=True)


@blueprint.operation("GET", "", gives={200: UsageSchema})
def get_usage() -> dict[str, Any]:
    """How much I have, and how much I may have.

    An upload that would be more is refused (429, `limit.quota_assets` or `limit.quota_bytes`), an admin's too.
    """
    quotas = runtime().quotas
    used = quotas.usage(caller().user)
    return {
        "assets": {"used": used.assets, "limit": quotas.most_assets or None},
        "bytes": {"used": used.bytes, "limit": quotas.largest_bytes or None},
    }
