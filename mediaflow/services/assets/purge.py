"""Purging: what was deleted for long enough goes for good: objects, original, upload, work, and the asset at last.

The asset's document goes last and tells where to go on, so that every step can be repeated after a crash. `purge_at`
is moved on by whoever purges, so that several sweepers do not meet and a dead one's work is taken over.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import structlog

from mediaflow.domain import keys
from mediaflow.domain.errors import MediaflowError
from mediaflow.domain.eventlog import Tombstone
from mediaflow.domain.events import Event
from mediaflow.domain.records import Asset, Upload
from mediaflow.domain.states import UPLOAD_ENDED, UPLOAD_RECEIVING, UploadState
from mediaflow.plugin import ReceivesParts, Storage
from mediaflow.services.assets.trash import DELETED
from mediaflow.services.events.telling import with_told
from mediaflow.services.originals.places import OriginalFiles
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.pipeline.segments import Segments
from mediaflow.services.ports import Below, Between, Database, Outbox
from mediaflow.services.uploads.blobs import Blobs
from mediaflow.services.uploads.ingest import Ingest

_log = structlog.get_logger(__name__)
MOST: Final = 50
"""So many due assets are looked at in one sweep."""
SWEEP_SECONDS: Final = 5.0
"""After this time a sweep begins no other purge: the pulse that it runs in has more to do."""
TAKEN_SECONDS: Final = 300.0
"""A purge that is not through after this time is taken over. Two at once do no harm."""
SETTLED: Final[tuple[UploadState, ...]] = ("queued", *UPLOAD_ENDED)


@dataclass(frozen=True, slots=True)
class Purge:
    """Removes due assets, each step by step."""

    database: Database
    files: OriginalFiles
    parts: ReceivesParts
    outbox: Outbox
    ingest: Ingest
    jobs: Jobs
    blobs: Blobs
    elapsed: Callable[[], float] = time.monotonic

    def sweep(self) -> None:
        """Purge what is due, for a few seconds."""
        began = self.elapsed()
        due = {"purge_at": Below(self.database.now()), "deleted_at": Between()}
        for asset in self.database.assets.find(due, sort=("purge_at",), limit=MOST):
            if self.elapsed() - began > SWEEP_SECONDS:
                return
            try:
                self.purge(asset)
            except MediaflowError as error:
                _log.warning("a purge waits", asset_id=asset.id, code=error.code, detail=error.detail)

    def purge(self, asset: Asset) -> bool:
        """Remove all of a due asset; False when it can't be done now."""
        if not self._is_quiet(asset):
            return False
        taken = self.database.assets.change(
            asset.id,
            {"purge_at": asset.purge_at, "deleted_at": asset.deleted_at},
            {"purging": True, "purge_at": self.database.now() + TAKEN_SECONDS},
        )
        if taken is None:
            return False
        steps: tuple[Callable[[Asset], None], ...] = (self._objects, self._original, self._upload, self._work)
        for step in steps:
            step(taken)
        self._bury(taken)
        return True

    def _bury(self, asset: Asset) -> None:
        """Take the document away, after what it had to tell; what tells that it is gone lasts longer than it."""
        now = self.database.now()
        told = with_told(Event("asset.purged", now, asset.owner, asset.id))
        self.database.tombstones.insert(Tombstone(id=asset.id, owner=asset.owner, purged_at=now, **told))
        if self.outbox.remove(self.database.assets, asset.id, {"purging": True}):
            self.outbox.tell(self.database.tombstones, asset.id)

    def _is_quiet(self, asset: Asset) -> bool:
        """Nobody makes anything of the asset any more: no upload is assembled, no worker holds a task of it.

        A worker learns of a cancelled task when it renews its lease; before that has run out, it may still write. What
        waits may be claimed in the next moment: who ended its job cancels it now, or a sweep does when they died.
        """
        upload = self.database.uploads.get(asset.upload_id)
        if upload is not None and upload.state in UPLOAD_RECEIVING:
            self.ingest.end(upload, "aborted")
        elif upload is not None and upload.state not in SETTLED and not self._stops_waiting(upload):
            return False
        self.jobs.halt(asset.id, DELETED)
        now = self.database.now()
        return not any(
            task.state == "pending" or (task.state in ("running", "cancelled") and task.lease_until > now)
            for job in self.database.jobs.find({"asset_id": asset.id})
            for task in self.jobs.tasks(job.id)
        )

    def _stops_waiting(self, upload: Upload) -> bool:
        """Whether it waited for its turn, and does so no more (`services/imports/feeding.py`)."""
        if upload.state != "stored" or upload.waits_since is None:
            return False
        expect = {"state": "stored", "waits_since": upload.waits_since}
        changes = {"state": "aborted", "waits_since": None, "updated_at": self.database.now()}
        return self.database.uploads.change(upload.id, expect, changes) is not None

    @property
    def storage(self) -> Storage:
        """Where what was made of it lies."""
        return self.files.storage

    def _objects(self, asset: Asset) -> None:
        if self.files.archive is not None:
            self.files.archive.delete(keys.archived_key(asset.id))
        for key in [info.key for info in self.storage.list(keys.asset_prefix(asset.id))]:
            self.storage.delete(key)

    def _original(self, asset: Asset) -> None:
        """One that waited for its turn has an original among the shared ones that only its upload knows of."""
        upload = self.database.uploads.get(asset.upload_id)
        sha256 = asset.sha256 or (None if upload is None else upload.sha256)
        self.blobs.unlink(replace(asset, sha256=sha256))

    def _upload(self, asset: Asset) -> None:
        upload = self.database.uploads.get(asset.upload_id)
        if upload is not None:
            self.storage.delete(upload.storage_key)
            self.parts.abort_parts(upload.storage_key, upload.parts_handle)
        for chunk in self.database.chunks.find({"upload_id": asset.upload_id}):
            self.database.chunks.remove(chunk.id)
        self.outbox.remove(self.database.uploads, asset.upload_id)

    def _work(self, asset: Asset) -> None:
        Segments(self.database, self.storage).forget(asset.id, before=asset.next_generation + 1)
        for job in self.database.jobs.find({"asset_id": asset.id}):
            for task in self.jobs.tasks(job.id):
                self.outbox.remove(self.database.tasks, task.id)
            self.outbox.remove(self.database.jobs, job.id)
