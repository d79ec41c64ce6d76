"""Originals that an owner's assets share: who uses one is listed in its blob, and the bytes go with the last user.

A key is used for one life of a blob only (`keys.shared_original_key`). So a deletion that comes late, even from a
process that stood still for an hour, can't hit the original of somebody who uploaded the same bytes meanwhile: that one
has another key. No lock and no waiting is needed.

Assets that are older than blobs share one key, `keys.original_key`, and are listed when the first blob is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mediaflow.domain import keys
from mediaflow.domain.errors import LeaseLost
from mediaflow.domain.ids import derived_id
from mediaflow.domain.records import Asset, Blob
from mediaflow.plugin import Storage
from mediaflow.services.ports import Database


@dataclass(frozen=True, slots=True)
class Blobs:
    """Links assets to originals and takes the links back. Every method may be repeated, by anyone, at any time."""

    database: Database
    storage: Storage

    def link(self, owner: str, sha256: str, asset_id: str, size_bytes: int) -> str:
        """List the asset as a user of the bytes; the key where its original is to be.

        The object itself may not be there yet: who links puts it there when it is missing. As long as the asset is
        listed, nobody deletes it. LeaseLost when the asset was purged meanwhile.
        """
        # looked at before as well as after: who stood still for long makes nothing that it may be unable to take back
        if self._alive(asset_id):
            while (blob := self._linked(owner, sha256, asset_id, size_bytes)) is None:
                pass  # somebody else changed the blob; each round one of us gets on
            if self._alive(asset_id):
                return blob.key
            self.leave(blob, asset_id)
        raise LeaseLost("the asset was purged meanwhile")

    def _linked(self, owner: str, sha256: str, asset_id: str, size_bytes: int) -> Blob | None:
        """The blob with the asset among its users, or None when another round is needed."""
        blob = self.database.blobs.get(blob_id(owner, sha256)) or self._older(owner, sha256, size_bytes)
        # not of the asset alone: one that stood still through its purge would give its key a second life
        fresh = keys.shared_original_key(owner, sha256, derived_id("life", asset_id, self.database.now()))
        if blob is None:
            made = self._blob(owner, sha256, fresh, size_bytes, [asset_id])
            return made if self.database.blobs.insert(made) else None
        if asset_id in blob.assets:
            return blob
        changes = {"state": "live", "key": fresh, "assets": [asset_id]}
        if self._can_be_joined(blob):
            changes = {"assets": [*blob.assets, asset_id]}
        return self.database.blobs.change(blob.id, _as_seen(blob), changes)

    def _can_be_joined(self, blob: Blob) -> bool:
        """False when its original is being deleted.

        An older blob was made from what stood in assets' documents; it holds only while one of them is not purged.
        """
        if blob.state != "live":
            return False
        return not _is_older(blob) or any(self._alive(asset_id) for asset_id in blob.assets)

    def unlink(self, asset: Asset) -> None:
        """Take a purged asset from the users of its original; the last one's bytes are deleted."""
        if asset.sha256 is not None:
            blob = self.database.blobs.get(blob_id(asset.owner, asset.sha256))
            if blob is not None and asset.id in blob.assets and blob.key != asset.original_key:
                self.leave(blob, asset.id)  # it was on its way there (`originals.py`)
        if asset.original_key is not None and asset.sha256 is not None:
            self.leave(self._blob(asset.owner, asset.sha256, asset.original_key, asset.size_bytes, []), asset.id)

    def leave(self, life: Blob, asset_id: str) -> None:
        """Take an asset that is gone off a blob's users; `life` tells which blob, and by its key which life of it."""
        while True:
            blob = self.database.blobs.get(life.id) or self._older(life.owner, life.sha256, life.size_bytes)
            if blob is None or blob.key != life.key or blob.state != "live":
                break
            left = self._without(blob, asset_id)
            if left is not None and left.assets:
                return
        # this life is over, and its key with it
        self.storage.delete(life.key)
        self.database.blobs.remove(life.id, {"state": "deleting", "key": life.key})

    def _without(self, blob: Blob, asset_id: str) -> Blob | None:
        """The blob without the asset, ended when nobody else uses it; None when somebody else changed it."""
        older = _is_older(blob)
        rest = [user for user in blob.assets if user != asset_id and (not older or self._alive(user))]
        if rest == blob.assets:
            return blob
        changes = {"assets": rest, "state": "live" if rest else "deleting"}
        return self.database.blobs.change(blob.id, _as_seen(blob), changes)

    def _older(self, owner: str, sha256: str, size_bytes: int) -> Blob | None:
        """The blob of assets that are older than blobs, made now; None when there are none, or another was faster."""
        key = keys.original_key(owner, sha256)
        where = {"owner": owner, "sha256": sha256, "original_key": key, "purging": False}
        users = [asset.id for asset in self.database.assets.find(where)]
        made = self._blob(owner, sha256, key, size_bytes, users)
        return made if users and self.database.blobs.insert(made) else self.database.blobs.get(made.id)

    def _blob(self, owner: str, sha256: str, key: str, size_bytes: int, users: list[str]) -> Blob:
        return Blob(
            id=blob_id(owner, sha256),
            owner=owner,
            sha256=sha256,
            key=key,
            size_bytes=size_bytes,
            state="live",
            created_at=self.database.now(),
            assets=users,
        )

    def _alive(self, asset_id: str) -> bool:
        facts = self.database.assets.peek(asset_id, ("purging",))
        return facts is not None and not facts["purging"]


def blob_id(owner: str, sha256: str) -> str:
    """The one blob of an owner's original with that content."""
    return derived_id("blob", owner, sha256)


def _as_seen(blob: Blob) -> dict[str, Any]:
    """The condition that it is unchanged. Not `rev` alone: that of its next life begins at 1 again."""
    return {"rev": blob.rev, "key": blob.key, "created_at": blob.created_at}


def _is_older(blob: Blob) -> bool:
    return blob.key == keys.original_key(blob.owner, blob.sha256)
