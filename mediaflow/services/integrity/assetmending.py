"""Repairs of assets: made again from the original where that is there, else failed with a reason."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from mediaflow.domain.events import Event
from mediaflow.domain.madesegments import MadeSegment
from mediaflow.domain.records import Asset, Blob
from mediaflow.services.integrity.findings import LOST, Mend, error_of, setting
from mediaflow.services.originals.places import OriginalFiles
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.pipeline.tenure import FREE
from mediaflow.services.ports import Database
from mediaflow.services.uploads.blobs import blob_id

_FILES_GONE: Final = "Published files are lost, and so is the original; upload it again."
ORIGINAL_GONE: Final = "The original is lost; upload it again."
PLAYS_ON: Final = "The original is lost; what is published plays on, and can't be made again."


@dataclass(frozen=True, slots=True)
class AssetMending:
    """Each repair is a compare-and-set, or a service that is one."""

    database: Database
    files: OriginalFiles
    jobs: Jobs

    def has_original(self, asset: Asset) -> bool:
        """True when the asset can be processed."""
        found = self.files.stat(asset.original_key) if asset.original_key else None
        return found is not None and found.size_bytes == asset.size_bytes

    def of_lost_files(self, asset: Asset) -> tuple[str | None, Mend | None]:
        """What to do about published files that are lost."""
        if asset.deleted_at is not None or asset.state not in FREE:
            return None, None  # it is in the trash, or being made anew
        if self.has_original(asset):
            return "it is processed again from its original", lambda: self.jobs.restart(asset, None) is not None
        return "it fails, with the reason", self.failing(asset, _FILES_GONE)

    def made_again(self, asset: Asset) -> tuple[str | None, Mend | None]:
        """What to do about an asset of which nothing (right) is published."""
        if asset.state == "processing":
            return None, None  # it is being made anew
        if asset.state in FREE and asset.deleted_at is None and self.has_original(asset):
            return "it is processed from its original", lambda: self.jobs.restart(asset, None) is not None
        return "it fails, with the reason", self.failing(asset, "Nothing that plays is published.")

    def failing(self, asset: Asset, detail: str) -> Mend:
        """Mark it as failed, if it is as it was seen."""
        error, now = error_of(LOST, detail), self.database.now()
        changes = {"state": "failed", "playable": False, "error": error, "updated_at": now}
        told = Event("asset.failed", now, asset.owner, asset.id, data=error)
        assets, outbox = self.database.assets, self.jobs.outbox
        return lambda: outbox.change(assets, asset.id, {"rev": asset.rev}, changes, told) is not None

    def without_captions(self, asset: Asset, lost: Collection[str]) -> Mend:
        """Take lost captions off the list; what the file has of them comes back when it is processed again."""
        captions = [each for each in asset.captions if each["path"] not in lost]
        gone = {each["language"] for each in asset.captions if each["path"] in lost}
        return self._set(
            asset, {"captions": captions, "captioned": [each for each in asset.captioned if each not in gone]}
        )

    def forgetting(self, made: Collection[MadeSegment]) -> Mend:
        """Remove the records of segments: nothing else tells of what is made on demand."""
        return lambda: sum(self.database.segments.remove(each.id, {"rev": each.rev}) for each in made) > 0

    def listed_again(self, asset: Asset, blob: Blob | None) -> tuple[str | None, Mend | None]:
        """What to do about an original whose blob does not list the asset."""
        key, sha256 = asset.original_key, asset.sha256
        if key is None or sha256 is None or not self.has_original(asset):
            return None, None
        if blob is None:
            return "its blob is written anew", lambda: self._insert(asset, key, sha256)
        if blob.key != key:
            return None, None
        changes = {"assets": [*blob.assets, asset.id], "state": "live"}
        return "it is listed", setting(self.database.blobs, blob.id, {"rev": blob.rev, "key": blob.key}, changes)

    def original_told(self, asset: Asset) -> bool:
        """Write beside an asset that its original is gone; end what was made of it."""
        if asset.published is not None and asset.playable:
            return self._set(asset, {"error": error_of(LOST, PLAYS_ON)})()
        self.jobs.halt(asset.id, error_of(LOST, ORIGINAL_GONE))
        now = self.database.assets.get(asset.id)
        return now is not None and (now.state == "failed" or self.failing(now, ORIGINAL_GONE)())

    def given_back(self, asset: Asset) -> Mend:
        """Free an asset that is `processing` by nobody, and begin again where that can be."""

        def mend() -> bool:
            state = "ready" if asset.generation else "stored"
            if not self._set(asset, {"state": state, "job_id": None, "updated_at": self.database.now()})():
                return False
            freed = self.database.assets.get(asset.id)
            return freed is not None and self.jobs.restart(freed, None) is not None

        return mend

    def _insert(self, asset: Asset, key: str, sha256: str) -> bool:
        now = self.database.now()
        return self.database.blobs.insert(
            Blob(
                id=blob_id(asset.owner, sha256),
                owner=asset.owner,
                sha256=sha256,
                key=key,
                size_bytes=asset.size_bytes,
                state="live",
                created_at=now,
                assets=[asset.id],
            )
        )

    def _set(self, asset: Asset, changes: dict[str, Any]) -> Mend:
        return setting(self.database.assets, asset.id, {"rev": asset.rev}, changes)
