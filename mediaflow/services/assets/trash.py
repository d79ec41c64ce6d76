"""Deleting softly, and taking it back. What was deleted for long enough is purged, see `purge.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from mediaflow.domain.events import Event
from mediaflow.domain.records import Asset
from mediaflow.domain.states import UPLOAD_RECEIVING
from mediaflow.services.access.permissions import changeable, no_asset
from mediaflow.services.access.principals import Principal
from mediaflow.services.changing import until_done
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.pipeline.tenure import closed, leftovers
from mediaflow.services.ports import Database, Increment, Outbox
from mediaflow.services.uploads.ingest import Ingest

DELETED: Final = {"code": "asset.deleted", "detail": "The asset was deleted."}


@dataclass(frozen=True, slots=True)
class Trash:
    """What was deleted. `keep_seconds` is how long it can be restored."""

    database: Database
    jobs: Jobs
    ingest: Ingest
    outbox: Outbox
    keep_seconds: float

    def delete(self, principal: Principal, asset_id: str, *, purge: bool = False) -> None:
        """Delete softly: nothing of it is read, streamed or worked on any more. Repeating does no harm.

        It can be restored for a while; with `purge` it can't, not even when it was deleted before.
        """

        def attempt() -> Asset | None:
            asset = changeable(principal, self.database.assets.get(asset_id), deleted=True)
            if asset.state == "created" and self._aborted(asset):
                return asset
            is_wanted = asset.deleted_at is None or (purge and self._is_restorable(asset))
            if is_wanted and not self._deleted(asset, purge=purge):
                return None
            self.jobs.halt(asset_id, DELETED)  # always: this may repeat a request that died in between
            return asset

        until_done(attempt)

    def restore(self, principal: Principal, asset_id: str) -> Asset:
        """Take a soft delete back; work that it interrupted begins again. Repeating does no harm.

        NotFound when it is too late.
        """
        asset = changeable(principal, self.database.assets.get(asset_id), deleted=True)
        if asset.deleted_at is not None:
            if not self._is_restorable(asset):
                raise no_asset()
            asset = self._restored(asset) or changeable(principal, self.database.assets.get(asset_id))
        if asset.state == "stored":
            job = self.database.jobs.get(asset.job_id) if asset.job_id else None
            self.jobs.restart(asset, job.profile if job else None)
            asset = changeable(principal, self.database.assets.get(asset_id))
        return asset

    def _aborted(self, asset: Asset) -> bool:
        """True when the asset's file was still on its way: then nothing is left of either."""
        upload = self.database.uploads.get(asset.upload_id)
        return upload is not None and upload.state in UPLOAD_RECEIVING and self.ingest.end(upload, "aborted")

    def _deleted(self, asset: Asset, *, purge: bool) -> bool:
        """One compare-and-set takes the asset from viewers and from its job; False when it was changed meanwhile."""
        now = self.database.now()
        changes: dict[str, Any] = {"purge_at": now if purge else now + self.keep_seconds, "updated_at": now}
        if asset.deleted_at is None:
            changes |= {"deleted_at": now, "acl_epoch": Increment()} | _interrupted(asset, now)
        expect: dict[str, Any] = {"state": asset.state, "generation": asset.generation, "deleted_at": asset.deleted_at}
        told = Event("asset.deleted", now, asset.owner, asset.id, data={"purge_at": changes["purge_at"]})
        events = (told,) if asset.deleted_at is None else ()
        expect["purge_at"] = asset.purge_at
        return self.outbox.change(self.database.assets, asset.id, expect, changes, *events) is not None

    def _is_restorable(self, asset: Asset) -> bool:
        # an asset that was deleted before there was a retention has no date
        return not asset.purging and (asset.purge_at is None or asset.purge_at > self.database.now())

    def _restored(self, asset: Asset) -> Asset | None:
        now = self.database.now()
        changes = {"deleted_at": None, "purge_at": None, "updated_at": now, "acl_epoch": Increment()}
        expect = {"deleted_at": asset.deleted_at, "purge_at": asset.purge_at, "purging": False}
        told = Event("asset.restored", now, asset.owner, asset.id)
        return self.outbox.change(self.database.assets, asset.id, expect, changes, told)


def _interrupted(asset: Asset, now: float) -> dict[str, Any]:
    """The change that ends the tenure of the asset's job; restoring begins again what had not published anything."""
    if asset.state != "processing":
        return {}
    state = "ready" if asset.generation else "stored"
    return {"state": state} | leftovers(asset.sweep_at, now) | closed(asset.generation)
