"""Deleting softly, and taking it back."""

from __future__ import annotations

from dataclasses import dataclass

from mediaflow.domain.records import Asset
from mediaflow.services.access import Principal
from mediaflow.services.permissions import changeable
from mediaflow.services.ports import Database, Increment


@dataclass(frozen=True, slots=True)
class Trash:
    """What was deleted."""

    database: Database

    def delete(self, principal: Principal, asset_id: str) -> None:
        """Delete softly: nothing of it is read or streamed any more, and it can be restored. Repeating does no harm."""
        changeable(principal, self.database.assets.get(asset_id), deleted=True)
        now = self.database.now()
        changes = {"deleted_at": now, "updated_at": now, "acl_epoch": Increment()}
        self.database.assets.change(asset_id, {"deleted_at": None}, changes)

    def restore(self, principal: Principal, asset_id: str) -> Asset:
        """Take a soft delete back. Repeating does no harm."""
        asset = changeable(principal, self.database.assets.get(asset_id), deleted=True)
        if asset.deleted_at is None:
            return asset
        changes = {"deleted_at": None, "updated_at": self.database.now(), "acl_epoch": Increment()}
        restored = self.database.assets.change(asset_id, {"deleted_at": asset.deleted_at}, changes)
        return restored or changeable(principal, self.database.assets.get(asset_id))
