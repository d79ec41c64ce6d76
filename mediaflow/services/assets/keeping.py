"""Where an asset's original is to be: in the storage, in the second one (the archive), or nowhere.

`Asset.original_wanted` is the wish, of its owner or its profile. A job of its own brings the original there; a sweep
makes that job when whoever wished died, or it failed. The bytes are where they were until they are, whole and hashed,
where they are to be: then the asset's key changes, by one compare-and-set, and what is left behind is removed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from mediaflow.domain import keys
from mediaflow.domain.errors import Conflict, LeaseLost, TaskFailed
from mediaflow.domain.events import Event
from mediaflow.domain.ids import new_id
from mediaflow.domain.records import Asset, Job, Task
from mediaflow.domain.states import WORK_ACTIVE
from mediaflow.plugin import Storage
from mediaflow.services.access.permissions import changeable
from mediaflow.services.access.principals import Principal
from mediaflow.services.changing import until_done
from mediaflow.services.originals.places import OriginalFiles
from mediaflow.services.originals.states import original_state
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.pipeline.lease import Lease
from mediaflow.services.pipeline.taskdocs import TaskDocuments
from mediaflow.services.ports import Between, Database, OneOf
from mediaflow.services.uploads.blobs import Blobs, blob_id
from mediaflow.services.uploads.originals import is_in_place

PLACES: Final = ("stored", "archived", "deleted")
AGAIN_SECONDS: Final = 600.0
"""After this a job that failed is tried anew."""
MOST: Final = 100
UNKNOWN: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Keeping:
    """Takes wishes, and fulfils them as the task `original` of a job."""

    database: Database
    files: OriginalFiles
    jobs: Jobs
    blobs: Blobs
    documents: TaskDocuments

    def wish(self, principal: Principal, asset_id: str, place: str) -> Asset:
        """Have the original brought to one of `PLACES`. Conflict, with the reason, when it can't be."""

        def attempt() -> Asset | None:
            asset = changeable(principal, self.database.assets.get(asset_id))
            wanted = None if original_state(asset) == place else place
            if wanted is not None:
                self._check(asset, place)
            if asset.original_wanted == wanted:
                return asset
            changes = {"original_wanted": wanted, "updated_at": self.database.now()}
            return self.database.assets.change(asset_id, {"rev": asset.rev, "deleted_at": None}, changes)

        asset = until_done(attempt)
        self.catch_up(asset)
        return asset

    def _check(self, asset: Asset, place: str) -> None:
        state = original_state(asset)
        if asset.state != "ready" or asset.published is None:
            raise Conflict("The asset is not ready; its original is needed.", code="asset.not_ready")
        if state == "deleted":
            raise Conflict("The original was deleted; upload the file again.", code="asset.no_original")
        if state == "gone" or asset.sha256 is None:
            raise Conflict("The original is not there as it was.", code="asset.no_original")
        if place == "archived" and self.files.archive is None:
            raise Conflict("There is no second storage here (MEDIAFLOW_ARCHIVE_URL).", code="asset.no_archive")
        if place != "stored" and any(each.get("when") == "on_demand" for each in asset.published.renditions):
            raise Conflict(
                "Sizes of this asset are made from its original when somebody watches them; process it with a profile"
                " that makes all of them first.",
                code="asset.needs_original",
            )

    # --- the job

    def sweep(self) -> None:
        """Make the jobs that are missing."""
        for asset in self.database.assets.find({"original_wanted": OneOf(PLACES)}, limit=MOST):
            self.catch_up(asset)

    def catch_up(self, asset: Asset) -> None:
        """Begin what is wished for, if nobody does. Repeating does no harm."""
        if asset.original_wanted is None or asset.state != "ready" or asset.deleted_at is not None:
            return
        now = self.database.now()
        where = {"asset_id": asset.id, "kind": "original"}
        if self.database.jobs.count({**where, "state": OneOf(WORK_ACTIVE)}):
            return
        if self.database.jobs.count({**where, "state": "failed", "finished_at": Between(now - AGAIN_SECONDS)}):
            return
        job = Job(
            id=new_id(),
            asset_id=asset.id,
            owner=asset.owner,
            generation=asset.generation,
            profile=asset.profile,
            state="pending",
            created_at=now,
            updated_at=now,
            plan={"task": {"name": "original", "stage": "original"}},
            kind="original",
            priority=asset_priority(asset),
        )
        if self.jobs.add(job):
            self.jobs.advance(job.id)

    def bring(self, task: Task, lease: Lease) -> dict[str, Any]:
        """The task: bring the original where it is wanted, and leave none elsewhere."""
        asset = self.documents.asset(task)
        if (wanted := asset.original_wanted) is not None and original_state(asset) != wanted:
            asset = self._brought(task, asset, wanted, lease)
        elif wanted is not None:
            self.database.assets.change(asset.id, {"original_wanted": wanted}, {"original_wanted": None})
        self._tidy(asset)
        return {"state": original_state(asset)}

    def _brought(self, task: Task, asset: Asset, wanted: str, lease: Lease) -> Asset:
        self._check(asset, wanted)
        target = self._filled(asset, wanted, lease)
        now = self.database.now()
        expect = {
            "original_key": asset.original_key,
            "original_wanted": wanted,
            "state": "ready",
            "purging": False,
        }
        changes = {"original_key": target, "original_wanted": None, "original_gone_at": None, "updated_at": now}
        told = Event("original.changed", now, asset.owner, asset.id, task.job_id, data={"state": wanted})
        changed = self.jobs.outbox.change(self.database.assets, asset.id, expect, changes, told)
        if changed is not None:
            return changed
        now_is = self.database.assets.get(asset.id)
        if now_is is not None:
            self._tidy(now_is)
        raise LeaseLost("the asset was changed meanwhile")

    def _filled(self, asset: Asset, wanted: str, lease: Lease) -> str | None:
        """The key where the original is now besides; None for nowhere."""
        if wanted == "deleted":
            return None
        sha256 = asset.sha256 or ""
        if wanted == "archived" and self.files.archive is not None:
            self._copied(asset, self.files.archive, key := keys.archived_key(asset.id), lease)
            return key
        key = self.blobs.link(asset.owner, sha256, asset.id, asset.size_bytes)
        if not is_in_place(self.files.storage, key, asset.size_bytes):
            self._copied(asset, self.files.storage, key, lease)
        return key

    def _copied(self, asset: Asset, target: Storage, key: str, lease: Lease) -> None:
        digest, done = hashlib.sha256(), 0

        def blocks() -> Iterator[bytes]:
            nonlocal done
            for block in self.files.read(asset.original_key or ""):
                if (reason := lease.reason()) is not None:
                    raise LeaseLost(reason)
                digest.update(block)
                done += len(block)
                lease.progress(done / max(1, asset.size_bytes))
                yield block

        target.put(key, blocks(), size_bytes=asset.size_bytes, content_type=UNKNOWN)
        if digest.hexdigest() != asset.sha256:
            target.delete(key)
            raise TaskFailed("The original has changed since it was hashed.", code="storage.corrupt")

    def _tidy(self, asset: Asset) -> None:
        """Remove what there is of the original anywhere else than where it is; nothing that we did not put there."""
        key = asset.original_key or ""
        blob = self.database.blobs.get(blob_id(asset.owner, asset.sha256 or ""))
        # one that is `deleting` was left by whoever died before its bytes went
        if blob is not None and blob.key != key and (asset.id in blob.assets or blob.state == "deleting"):
            self.blobs.leave(blob, asset.id)
        if self.files.archive is not None and not keys.is_archived(key):
            self.files.archive.delete(keys.archived_key(asset.id))
        if keys.linked_file(key) is None:
            for file in self.database.source_files.find({"asset_id": asset.id, "linked": True}):
                self.database.source_files.change(file.id, {"rev": file.rev}, {"linked": False, "gone_at": None})


def asset_priority(asset: Asset) -> int:
    """Bringing back is waited for; taking away is not."""
    return 0 if asset.original_wanted == "stored" else -1
