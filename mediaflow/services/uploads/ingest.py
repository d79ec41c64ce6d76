"""Receiving files: announced, received in chunks in any order, completed. Assembling is in `assembly.py`.

How one chunk is taken is in `chunks.py`. Progress is the count of received chunks. Whatever crashes leaves a state from
which a repeat of the request, or the reconciler, goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from mediaflow.domain import keys
from mediaflow.domain.errors import (
    Conflict,
    LimitReached,
    MediaflowError,
    NotFound,
)
from mediaflow.domain.events import Event
from mediaflow.domain.ids import new_id
from mediaflow.domain.records import Asset, Chunk, Upload
from mediaflow.domain.states import UPLOAD_COMPLETED, UPLOAD_RECEIVING
from mediaflow.plugin import ReceivesParts, Storage
from mediaflow.services.events.telling import telling
from mediaflow.services.pipeline.backlog import Backlog
from mediaflow.services.ports import Database, Metrics, OneOf, Outbox, Plugins, Wakeups
from mediaflow.services.uploads.acceptance import Acceptance, NewUpload, asset_of
from mediaflow.services.uploads.chunks import ChunkBody, ChunkWriter
from mediaflow.services.uploads.counting import missing_ranges, received_chunks
from mediaflow.services.uploads.direct import Direct
from mediaflow.services.uploads.quotas import Quotas
from mediaflow.services.uploads.sharing import Sharing
from mediaflow.services.uploads.underway import Underway
from mediaflow.settings import Settings

UNKNOWN: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class ChunkReceipt:
    """What the client learns of a chunk. `duplicate`: these bytes were here already."""

    index: int
    received_bytes: int
    received_chunks: int
    chunk_count: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class UploadStatus:
    """`progress` is 0.0-1.0 by received chunks; `missing` are inclusive ranges of chunk indexes."""

    upload: Upload
    progress: float
    missing: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Ingest:
    """The way in. Every method is safe to repeat and to run on several hosts at once.

    `elapsed` is a clock that never goes back, `pause` waits for so many seconds.
    """

    database: Database
    storage: Storage
    parts: ReceivesParts
    plugins: Plugins
    outbox: Outbox
    wakeups: Wakeups
    metrics: Metrics
    settings: Settings
    elapsed: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    # --- announce

    def announce(self, owner: str, new: NewUpload) -> tuple[Upload, bool]:
        """Make room for a file. The second value is True when an existing asset answers the request (`dedup=reuse`)."""
        if new.direct:
            self.direct.check()
        self.acceptance.check(owner, new)
        if new.dedup == "reuse" and (known := self._known_upload(owner, new.sha256)):
            return known, True
        return self.admit(owner, new, new_id(), new_id()), False

    @property
    def sharing(self) -> Sharing:
        """What need not come again."""
        return Sharing(self.database, self.storage, self.parts, self.wakeups)

    @property
    def direct(self) -> Direct:
        """What clients send to the storage themselves."""
        return Direct(self.database, self.parts)

    @property
    def acceptance(self) -> Acceptance:
        """What judges announced files."""
        return Acceptance(self.storage, self.parts, self.plugins, self.settings)

    def admit(self, owner: str, new: NewUpload, upload_id: str, asset_id: str) -> Upload:
        """Make room for a file that is accepted, under these ids. LimitReached when the owner has too much."""
        quotas, underway = self._limits(owner, new.size_bytes)
        now, chunk_size = self.database.now(), self.acceptance.chunk_bytes(new)
        key = keys.upload_key(upload_id)
        handle = self.parts.begin_parts(key, size_bytes=new.size_bytes, part_bytes=chunk_size, content_type=UNKNOWN)
        upload = Upload(
            id=upload_id,
            owner=owner,
            asset_id=asset_id,
            filename=new.filename,
            content_type=new.content_type,
            size_bytes=new.size_bytes,
            chunk_size_bytes=chunk_size,
            chunk_count=-(-new.size_bytes // chunk_size),
            declared_sha256=new.sha256,
            profile=new.profile,
            dedup=new.dedup,
            auto_complete=new.auto_complete,
            direct=new.direct,
            counted_chunks=0,
            state="initialized",
            storage_key=key,
            parts_handle=handle,
            created_at=now,
            updated_at=now,
            expires_at=now + self._patience(new),
        )
        self._admit(upload, asset_of(upload, new, now), quotas, underway)
        self.metrics.count("mediaflow_uploads_total", state="initialized")
        self.outbox.tell(self.database.assets, asset_id)
        return self.sharing.shared(upload)

    def _patience(self, new: NewUpload) -> float:
        """Of what is sent to the storage nobody hears before it is complete."""
        whole = self.settings.upload_expiry_seconds
        return whole if new.direct else min(self.settings.upload_first_chunk_seconds, whole)

    def _admit(self, upload: Upload, asset: Asset, quotas: Quotas, underway: Underway) -> None:
        """Keep both records. The upload first: it expires, and takes with it what else there is when we die here."""
        try:
            underway.admit(upload)
            quotas.admit(asset)
        except MediaflowError as error:
            self.parts.abort_parts(upload.storage_key, upload.parts_handle)
            if isinstance(error, LimitReached):
                self._refuse(upload)
            raise

    def _refuse(self, upload: Upload) -> None:
        """Take back what is too much: as if it had never been, unless it was told already."""
        if self.database.assets.peek(upload.asset_id, ("rev",)) is None:
            self.database.uploads.remove(upload.id, {"state": "initialized"})
        else:
            self.end(upload, "aborted")

    def _limits(self, owner: str, size_bytes: int) -> tuple[Quotas, Underway]:
        """What the owner may have, and on the way; LimitReached when one more upload of that size is too much."""
        Backlog(self.database, self.settings.quota_core_seconds).check(owner)
        quotas = Quotas.of(self.database, self.settings, self.pause)
        underway = Underway.of(self.database, self.settings, self.pause)
        quotas.check(owner, size_bytes)
        underway.check(owner, size_bytes)
        return quotas, underway

    def _known_upload(self, owner: str, sha256: str | None) -> Upload | None:
        if sha256 is None:
            return None
        where = {
            "owner": owner,
            "sha256": sha256,
            "deleted_at": None,
            "state": OneOf(("stored", "processing", "ready")),
        }
        for asset in self.database.assets.find(where, sort=("-created_at",), limit=1):
            return self.database.uploads.get(asset.upload_id)
        return None

    # --- receive

    def receive(
        self,
        owner: str,
        upload_id: str,
        index: int,
        blocks: Iterable[bytes],
        *,
        content_length: int | None,
        digest: bytes | None,
    ) -> ChunkReceipt:
        """Take one chunk's bytes. `digest` is the SHA-256 that the client says they have."""
        upload = self._owned(owner, upload_id)
        body = ChunkBody(upload, index, blocks, content_length=content_length, digest=digest)
        if upload.shared:
            return self._receipt(upload, self.sharing.repeated(upload, index, body), duplicate=True)
        writer = ChunkWriter(self.database, self.parts, self.elapsed)
        chunk, duplicate = writer.write(upload, index, body)
        if not duplicate:
            self.metrics.count("mediaflow_upload_bytes_total", chunk.length)
        return self._receipt(upload, chunk, duplicate=duplicate)

    def _receipt(self, upload: Upload, chunk: Chunk, *, duplicate: bool) -> ChunkReceipt:
        if upload.shared:
            return ChunkReceipt(chunk.index, chunk.length, upload.chunk_count, upload.chunk_count, duplicate)
        self.begun(upload)
        received = received_chunks(self.database, upload, counts=not duplicate)
        if upload.auto_complete and received == upload.chunk_count and upload.state in UPLOAD_RECEIVING:
            self.complete(upload.owner, upload.id)
        return ChunkReceipt(chunk.index, chunk.length, received, upload.chunk_count, duplicate)

    def begun(self, upload: Upload) -> None:
        """Some of it is here now: it has the whole time to come."""
        if upload.state == "initialized":
            changes = {
                "state": "receiving",
                "updated_at": self.database.now(),
                "expires_at": upload.created_at + self.settings.upload_expiry_seconds,
            }
            self.database.uploads.change(upload.id, {"state": "initialized"}, changes)

    # --- status, complete, abort

    def status(self, owner: str, upload_id: str) -> UploadStatus:
        """How far an upload is."""
        upload = self._owned(owner, upload_id)
        if upload.state in UPLOAD_COMPLETED:
            return UploadStatus(upload, 1.0, [])
        if not upload.chunk_count:
            return UploadStatus(upload, 0.0, [])
        missing = self._missing(upload)
        absent = sum(last - first + 1 for first, last in missing)
        return UploadStatus(upload, 1.0 - absent / upload.chunk_count, missing)

    def complete(self, owner: str, upload_id: str) -> Upload:
        """Close the upload: everything is here. Idempotent for ever; with chunks missing, Conflict with the ranges."""
        upload = self._owned(owner, upload_id)
        if upload.state in UPLOAD_RECEIVING:
            if not upload.chunk_count:
                raise Conflict("How large the file is is not known yet.", code="upload.incomplete", missing=[])
            missing = self._missing(upload)
            if missing:
                ranges = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in missing[:10])
                raise Conflict(f"Chunks are missing: {ranges}.", code="upload.incomplete", missing=missing[:1000])
            if upload.direct:
                self.direct.collect(upload)
            changes = {"state": "assembling", "updated_at": self.database.now()}
            entered = self.database.uploads.change(upload.id, {"state": OneOf(UPLOAD_RECEIVING)}, changes)
            if entered is not None:
                self.wakeups.wake_assembly(upload.id)
            upload = entered or self._owned(owner, upload_id)
        if upload.state not in UPLOAD_COMPLETED:
            raise Conflict(f"The upload is {upload.state} and can't be completed.", code=f"upload.{upload.state}")
        return upload

    def abort(self, owner: str, upload_id: str) -> None:
        """Give up an upload that is not complete: its bytes and its asset go. Repeating does no harm."""
        upload = self._owned(owner, upload_id)
        if upload.state == "aborted":
            return
        if not self.end(upload, "aborted"):
            state = self._owned(owner, upload_id).state
            raise Conflict(f"The upload is {state}; delete its asset instead.", code="upload.not_receiving")

    def end(self, upload: Upload, state: str) -> bool:
        """Move a receiving upload to `aborted` or `expired` and free its room; False when it is not receiving."""
        now = self.database.now()
        told = Event(f"upload.{state}", now, upload.owner, upload.asset_id, data={"upload_id": upload.id})
        changes = {"state": state, "updated_at": now} | telling(told)
        ended = self.database.uploads.change(upload.id, {"state": OneOf(UPLOAD_RECEIVING)}, changes)
        if ended is None:
            return False
        if upload.chunk_count:
            self.parts.abort_parts(upload.storage_key, upload.parts_handle)
        self.outbox.remove(self.database.assets, upload.asset_id, {"state": "created"})
        for chunk in self.database.chunks.find({"upload_id": upload.id}):
            self.database.chunks.remove(chunk.id)
        self.metrics.count("mediaflow_uploads_total", state=state)
        self.outbox.tell(self.database.uploads, upload.id)
        return True

    def _owned(self, owner: str, upload_id: str) -> Upload:
        upload = self.database.uploads.get(upload_id)
        if upload is None or upload.owner != owner:
            raise NotFound("There is no such upload.", code="upload.not_found")
        return upload

    def _missing(self, upload: Upload) -> list[tuple[int, int]]:
        if upload.direct and upload.state in UPLOAD_RECEIVING:
            return missing_ranges(upload.chunk_count, self.direct.there(upload))
        where: dict[str, Any] = {"upload_id": upload.id, "state": "received"}
        return missing_ranges(upload.chunk_count, {chunk.index for chunk in self.database.chunks.find(where)})
