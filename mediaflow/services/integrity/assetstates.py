"""What an asset's document must say, and what it says of others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mediaflow.domain import keys
from mediaflow.domain.records import Asset, Blob, Job
from mediaflow.domain.states import WORK_ENDED
from mediaflow.plugin import Storage
from mediaflow.services.integrity.assetmending import AssetMending
from mediaflow.services.integrity.findings import LOST, Finding, by_id, no_reason, setting
from mediaflow.services.pipeline.tenure import told
from mediaflow.services.ports import Database
from mediaflow.services.uploads.blobs import blob_id

OVERDUE_SECONDS: Final = 120.0
"""After this time the reconciler of any worker should have gone on with what waits."""


@dataclass(frozen=True, slots=True)
class AssetStates:
    """Looks at documents only, but for originals that are older than blobs."""

    database: Database
    storage: Storage
    mending: AssetMending

    def look(self, assets: Sequence[Asset]) -> Iterator[Finding]:
        """What does not hold for these."""
        jobs = by_id(self.database.jobs, (asset.job_id for asset in assets))
        uploads = by_id(self.database.uploads, (asset.upload_id for asset in assets))
        blobs = by_id(self.database.blobs, (blob_id(a.owner, a.sha256) for a in assets if a.sha256 and a.original_key))
        now = self.database.now()
        for asset in assets:
            yield from self._trash(asset)
            if asset.purging:
                continue  # its purge takes one thing after another
            yield from no_reason("asset", asset, self.database.assets)
            yield from self._upload(asset, is_there=asset.upload_id in uploads)
            yield from self._generations(asset)
            yield from self._job(asset, jobs.get(asset.job_id or ""), now)
            if asset.original_key == keys.upload_key(asset.upload_id):
                yield from self._unsettled(asset)
            elif asset.original_key and keys.linked_file(asset.original_key):
                pass  # `services/upkeep/linkwatch.py` looks after those
            elif asset.original_key and keys.is_archived(asset.original_key):
                if (asset.error or {}).get("code") != LOST and not self.mending.has_original(asset):
                    yield self.lost(asset, f"its original {asset.original_key} is not in the archive as it was")
            elif asset.sha256 and asset.original_key:
                yield from self._original(asset, blobs.get(blob_id(asset.owner, asset.sha256)))
            elif asset.state in ("stored", "processing") or (asset.state == "ready" and asset.published is None):
                yield Finding("asset.no_original", asset.id, f"it is {asset.state}, and names no original")

    def _trash(self, asset: Asset) -> Iterator[Finding]:
        if asset.deleted_at is None and (asset.purging or asset.purge_at is not None):
            what = "purged" if asset.purging else "to be purged"
            changes = {"deleted_at": asset.purge_at or self.database.now()} if asset.purging else {"purge_at": None}
            remedy = "it counts as deleted" if asset.purging else "its purge is called off"
            mend = setting(self.database.assets, asset.id, {"rev": asset.rev}, changes)
            yield Finding("asset.trash_dates", asset.id, f"it is {what}, and not deleted", remedy, mend)

    def _upload(self, asset: Asset, *, is_there: bool) -> Iterator[Finding]:
        if is_there:
            return
        detail = f"its upload {asset.upload_id} is not there"
        if asset.state == "created":
            expect = {"state": "created", "rev": asset.rev}
            mend = lambda: self.mending.jobs.outbox.remove(self.database.assets, asset.id, expect)  # noqa: E731
            yield Finding("asset.no_upload", asset.id, detail, "it is removed, nothing can come of it", mend)
        else:
            yield Finding("asset.no_upload", asset.id, f"{detail}; nothing needs it any more", note=True)

    def _generations(self, asset: Asset) -> Iterator[Finding]:
        if asset.generation > asset.next_generation:
            detail = f"generation {asset.generation} is published, and {asset.next_generation} is the newest that began"
            changes = {"next_generation": asset.generation}
            mend = setting(self.database.assets, asset.id, {"rev": asset.rev}, changes)
            yield Finding("asset.generations", asset.id, detail, "the newest is the published one", mend)
        published = asset.published
        if asset.state == "ready" and (published is None or not asset.playable or asset.generation == 0):
            remedy, again = self.mending.made_again(asset)
            yield Finding("asset.nothing_published", asset.id, "it is ready, and nothing is published", remedy, again)
        elif asset.opened is not None and asset.state != "processing":
            shut: dict[str, Any] = {"opened": None, "playable": published is not None}
            mend = setting(self.database.assets, asset.id, {"rev": asset.rev}, shut)
            detail = f"it is {asset.state}, and open as if it were being made"
            yield Finding("asset.open", asset.id, detail, "it shows what is published of it, or nothing", mend)
        elif asset.playable and asset.shown is None:
            mend = setting(self.database.assets, asset.id, {"rev": asset.rev}, {"playable": False})
            detail = "it is playable, and nothing is published"
            yield Finding("asset.nothing_published", asset.id, detail, "it is not playable", mend)
        elif published is not None and published.generation != asset.generation:
            detail = f"generation {published.generation} is published, and the asset says {asset.generation}"
            remedy, again = self.mending.made_again(asset)
            yield Finding("asset.wrong_generation", asset.id, detail, remedy, again)

    def _job(self, asset: Asset, job: Job | None, now: float) -> Iterator[Finding]:
        if asset.state == "processing" and job is None:
            detail = f"it is processing, and its job {asset.job_id} is not there"
            yield Finding("asset.no_job", asset.id, detail, "its work begins again", self.mending.given_back(asset))
        elif asset.job_id is not None and job is None:
            mend = setting(self.database.assets, asset.id, {"rev": asset.rev}, {"job_id": None})
            detail = f"its last job {asset.job_id} is not there"
            yield Finding("asset.no_job", asset.id, detail, "it names none", mend)
        elif job is not None and job.asset_id != asset.id:
            yield Finding("asset.wrong_job", asset.id, f"its job {job.id} is of the asset {job.asset_id}")
        elif job is not None and asset.state == "processing" and asset.updated_at < now - OVERDUE_SECONDS:
            yield from self._stuck(asset, job)

    def _stuck(self, asset: Asset, job: Job) -> Iterator[Finding]:
        if job.state in WORK_ENDED:
            detail = f"it is processing, and its job {job.id} is {job.state}"
            yield Finding(
                "asset.stuck",
                asset.id,
                detail,
                "it is as its job left it",
                lambda: self.mending.jobs.tenure.give_back(job, told(job)) is not None,
            )

    def _original(self, asset: Asset, blob: Blob | None) -> Iterator[Finding]:
        if asset.state == "created" or (asset.error or {}).get("code") == LOST:
            return
        if blob is None and asset.original_key == keys.original_key(asset.owner, asset.sha256 or ""):
            if not self.mending.has_original(asset):  # it is older than blobs
                yield self.lost(asset, f"its original {asset.original_key} is not in the storage as it was")
        elif blob is None or blob.key != asset.original_key or asset.id not in blob.assets:
            what = "there is no blob of it" if blob is None else f"the blob {blob.id} does not list it"
            remedy, mend = self.mending.listed_again(asset, blob)
            yield Finding("asset.not_in_blob", asset.id, f"it names {asset.original_key}, but {what}", remedy, mend)

    def _unsettled(self, asset: Asset) -> Iterator[Finding]:
        """The original is hashed while the job runs, or was on its way among the shared ones when its job ended."""
        if asset.state == "ready":
            detail = "it is ready, and its original was never hashed"
            yield Finding("asset.not_hashed", asset.id, detail)
        elif (asset.error or {}).get("code") != LOST and not self.mending.has_original(asset) and asset.sha256 is None:
            yield self.lost(asset, f"its original {asset.original_key} is not in the storage as it was")

    def lost(self, asset: Asset, detail: str) -> Finding:
        """The original is lost."""
        remedy = "it plays on, and its document says so" if asset.playable else "it fails, with the reason"
        mend = lambda: self.mending.original_told(asset)  # noqa: E731
        return Finding("asset.lost_original", asset.id, detail, remedy, mend, is_loss=True)
