"""Changing what owners say of their assets: title, description, tags, visibility."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mediaflow.domain.errors import PreconditionFailed
from mediaflow.domain.events import Event
from mediaflow.domain.records import Asset
from mediaflow.services.access.permissions import changeable
from mediaflow.services.access.principals import Principal
from mediaflow.services.changing import until_done
from mediaflow.services.ports import Database, Increment, Outbox
from mediaflow.services.text.search import SEARCHED, words_of


@dataclass(frozen=True, slots=True)
class Editing:
    """Changes of metadata, each a compare-and-set on its revision."""

    database: Database
    outbox: Outbox

    def change(
        self,
        principal: Principal,
        asset_id: str,
        changes: Mapping[str, Any],
        *,
        revisions: frozenset[int] | None = None,
    ) -> Asset:
        """Set title, description, tags or visibility. A change of visibility ends all stream tokens.

        With `revisions`, only when the metadata is at one of them; PreconditionFailed else.
        """

        def attempt() -> Asset | None:
            asset = changeable(principal, self.database.assets.get(asset_id))
            if revisions is not None and asset.metadata_rev not in revisions:
                raise PreconditionFailed(
                    "The asset was changed in the meantime; get it again and repeat your change on that.",
                    code="asset.changed",
                )
            told = {name: value for name, value in changes.items() if getattr(asset, name) != value}
            if not told:
                return asset
            effective = dict(told)
            if "visibility" in effective:
                effective["acl_epoch"] = Increment()
            if not effective.keys().isdisjoint(SEARCHED):
                effective["search"] = words_of(*(effective.get(name, getattr(asset, name)) for name in SEARCHED))
            expect = {"metadata_rev": asset.metadata_rev, "deleted_at": None}
            effective |= {"metadata_rev": Increment(), "updated_at": (now := self.database.now())}
            updated = Event("asset.updated", now, asset.owner, asset_id, data={"changes": told})
            return self.outbox.change(self.database.assets, asset_id, expect, effective, updated)

        return until_done(attempt)
