"""From received chunks to a stored original with its job: hashed once, moved to its place, queued. Safe to repeat.

A large file's job begins before it is hashed, see `originals.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from mediaflow.domain.errors import InvalidInput, LeaseLost, MediaflowError
from mediaflow.domain.events import Event
from mediaflow.domain.ids import new_id
from mediaflow.domain.records import Upload
from mediaflow.domain.states import LEASE_RENEW_SECONDS, LEASE_SECONDS
from mediaflow.domain.telling import error_document
from mediaflow.plugin import ReceivesParts, Storage
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.pipeline.tenure import leftovers
from mediaflow.services.ports import Below, Database, Metrics, Outbox
from mediaflow.services.uploads.blobs import Blobs
from mediaflow.services.uploads.originals import check_declared, hashed, is_in_place, put_in_place

_log = structlog.get_logger(__name__)
HASHED_FIRST_BYTES: Final = 64 * 1024 * 1024
"""Files below are hashed at once, in a fraction of a second: then the second of the same bytes is known as such."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """Finishes uploads. Runs in workers; the web process only marks an upload as `assembling`.

    `worker` names this process in the documents, as it does in those of tasks.
    """

    database: Database
    storage: Storage
    parts: ReceivesParts
    outbox: Outbox
    jobs: Jobs
    blobs: Blobs
    metrics: Metrics
    worker: str | None = None
    elapsed: Callable[[], float] = time.monotonic
    hashed_first_bytes: int = HASHED_FIRST_BYTES

    def finish(self, upload_id: str) -> None:
        """Take an upload on from wherever it stands to `queued`; nothing when somebody else does or it is there."""
        upload = self.database.uploads.get(upload_id)
        try:
            if upload is not None and upload.state == "assembling":
                upload = self._store(upload)
            if upload is not None and upload.state == "stored" and upload.waits_since is None:
                self._queue(upload)
        except LeaseLost as error:
            _log.warning("assembly taken over", upload_id=upload_id, reason=error.detail)

    def _store(self, upload: Upload) -> Upload | None:
        now, token = self.database.now(), new_id()
        lease = {"lease_token": token, "lease_until": now + LEASE_SECONDS, "worker": self.worker}
        claimed = self.database.uploads.change(upload.id, {"state": "assembling", "lease_until": Below(now)}, lease)
        if claimed is None:
            return None
        try:
            return self._assemble(claimed, token)
        except InvalidInput as error:
            self._fail(claimed, token, error)
        return None

    def _assemble(self, upload: Upload, token: str) -> Upload | None:
        sha256 = upload.sha256
        if sha256 is None and upload.size_bytes >= self.hashed_first_bytes:
            self._complete_parts(upload)  # it stays where it arrived
        elif sha256 is None or not is_in_place(self.storage, self._linked(upload, sha256), upload.size_bytes):
            self._complete_parts(upload)
            if sha256 is None or upload.parts_handle:
                sha256 = self._hash(upload, token)
            check_declared(upload, sha256)
            self._held(upload, token, sha256=sha256)
            put_in_place(self.storage, upload.storage_key, self._linked(upload, sha256), upload.size_bytes)
        else:
            self.storage.delete(upload.storage_key)  # another upload brought the same bytes while this one stood still
        changes = {"state": "stored", "sha256": sha256, "updated_at": self.database.now(), "lease_until": 0.0}
        stored = self.database.uploads.change(upload.id, {"state": "assembling", "lease_token": token}, changes)
        if stored is not None:
            self.metrics.count("mediaflow_uploads_total", state="stored")
        return stored

    def _complete_parts(self, upload: Upload) -> None:
        if not upload.parts_handle:  # it came in one piece, and was hashed on the way
            return
        chunks = self.database.chunks.find({"upload_id": upload.id, "state": "received"}, sort=("index",))
        self.parts.complete_parts(
            upload.storage_key,
            upload.parts_handle,
            [chunk.receipt or "" for chunk in chunks],
            size_bytes=upload.size_bytes,
        )

    def _hash(self, upload: Upload, token: str) -> str:
        renewed = self.elapsed()

        def on_block(_size: int) -> None:
            nonlocal renewed
            if self.elapsed() - renewed >= LEASE_RENEW_SECONDS:
                self._held(upload, token)
                renewed = self.elapsed()

        return hashed(self.storage, upload.storage_key, upload.size_bytes, on_block)

    def _held(self, upload: Upload, token: str, **changes: object) -> None:
        """Renew the lease, with changes; LeaseLost when it is somebody else's now."""
        renewed = {"lease_until": self.database.now() + LEASE_SECONDS, **changes}
        if self.database.uploads.change(upload.id, {"state": "assembling", "lease_token": token}, renewed) is None:
            raise LeaseLost("the upload is assembled by somebody else")

    def _linked(self, upload: Upload, sha256: str) -> str:
        """The key of the original. Before anybody relies on what lies there, the asset is listed among its users."""
        return self.blobs.link(upload.owner, sha256, upload.asset_id, upload.size_bytes)

    def _fail(self, upload: Upload, token: str, error: MediaflowError) -> None:
        """The asset first: when we die in between, the upload is assembled, and fails, once more. A sweep removes what
        is left of it then (`upkeep/generations.py`).
        """
        self._held(upload, token)
        document = error_document(error)
        now = self.database.now()
        changes = {"state": "failed", "error": document, "updated_at": now}
        gone = Event("asset.failed", now, upload.owner, upload.asset_id, data=document)
        swept = changes | leftovers(None, now)
        self.outbox.change(self.database.assets, upload.asset_id, {"state": "created"}, swept, gone)
        told = Event("upload.failed", now, upload.owner, upload.asset_id, data={"upload_id": upload.id, **document})
        expect = {"state": "assembling", "lease_token": token}
        if self.outbox.change(self.database.uploads, upload.id, expect, changes, told) is None:
            return
        self.parts.abort_parts(upload.storage_key, upload.parts_handle)  # when they could not be completed
        self.storage.delete(upload.storage_key)
        self.metrics.count("mediaflow_uploads_total", state="failed")

    def _original(self, upload: Upload) -> str:
        if upload.linked_key is not None:
            return upload.linked_key
        return upload.storage_key if upload.sha256 is None else self._linked(upload, upload.sha256)

    def _queue(self, upload: Upload) -> None:
        changes = {
            "state": "stored",
            "sha256": upload.sha256,
            "original_key": self._original(upload),
            "updated_at": (now := self.database.now()),
        }
        told = Event("upload.stored", now, upload.owner, upload.asset_id, data={"upload_id": upload.id})
        self.outbox.change(self.database.assets, upload.asset_id, {"state": "created"}, changes, told)
        self.jobs.start(upload.asset_id, generation=1, priority=upload.priority)
        queued = {"state": "queued", "updated_at": self.database.now()}
        self.database.uploads.change(upload.id, {"state": "stored"}, queued)
