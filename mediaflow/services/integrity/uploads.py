"""Uploads and their chunks: a chunk that was received is there, an upload has an asset, and goes on or has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from mediaflow.domain import keys
from mediaflow.domain.events import Event
from mediaflow.domain.ids import chunk_id
from mediaflow.domain.records import Asset, Chunk, Upload
from mediaflow.domain.states import UPLOAD_ENDED, UPLOAD_RECEIVING
from mediaflow.plugin import KnowsParts, Storage
from mediaflow.services.integrity.assets import OLD_SECONDS
from mediaflow.services.integrity.findings import LOST, Finding, by_id, error_of, no_reason, pages
from mediaflow.services.ports import Below, Database
from mediaflow.services.uploads.blobs import blob_id
from mediaflow.services.uploads.ingest import Ingest

_GONE: Final = "The bytes of the upload are lost in the storage; send the file again."
"""What owners are told."""


@dataclass(frozen=True, slots=True)
class UploadExaminer:
    """Looks at uploads; at the parts of those that are on their way, where the storage can tell of them."""

    database: Database
    storage: Storage
    ingest: Ingest

    kind = "uploads"

    def suspects(self, told: Callable[[int], None]) -> Iterator[Finding]:
        for page in pages(self.database.uploads):
            yield from self._look(page)
            told(len(page))

    def again(self, subject: str) -> Iterator[Finding]:
        upload = self.database.uploads.get(subject)
        return self._look([upload] if upload else [])

    def _look(self, uploads: list[Upload]) -> Iterator[Finding]:
        assets = by_id(self.database.assets, (upload.asset_id for upload in uploads))
        for upload in uploads:
            yield from no_reason("upload", upload, self.database.uploads)
            if upload.state not in UPLOAD_ENDED:
                yield from self._open(upload, assets.get(upload.asset_id))

    def _open(self, upload: Upload, asset: Asset | None) -> Iterator[Finding]:
        if asset is None and upload.state == "initialized":
            yield Finding("upload.no_asset", upload.id, "its announcement was cut short; it expires", note=True)
            return
        if asset is None:
            detail = f"it is {upload.state}, and its asset {upload.asset_id} is not there"
            yield Finding("upload.no_asset", upload.id, detail, "it is aborted", self._aborting(upload))
            return
        if asset.upload_id != upload.id:
            yield Finding("upload.wrong_asset", upload.id, f"its asset {asset.id} is of the upload {asset.upload_id}")
        if upload.state in ("stored", "queued") and upload.sha256 is None and asset.generation > 0:
            yield Finding("upload.no_digest", upload.id, f"it is {upload.state} without a SHA-256")
        count = -(-upload.size_bytes // max(1, upload.chunk_size_bytes))
        if upload.chunk_count != count or upload.storage_key != keys.upload_key(upload.id):
            detail = f"{upload.chunk_count} chunks at {upload.storage_key!r} are not what its sizes and its id make"
            can_end = upload.state in UPLOAD_RECEIVING
            mend = self._aborting(upload) if can_end else None
            yield Finding("upload.bad_shape", upload.id, detail, "it is aborted" if can_end else None, mend)
        elif upload.state in UPLOAD_RECEIVING or upload.state == "assembling":
            chunks = self.database.chunks.find({"upload_id": upload.id, "state": "received"}, sort=("index",))
            yield from self._chunks(upload, chunks)
            yield from self._parts(upload, chunks) if chunks else ()

    def _chunks(self, upload: Upload, chunks: list[Chunk]) -> Iterator[Finding]:
        if wrong := [chunk for chunk in chunks if not _fits(upload, chunk)]:
            detail = f"the record of chunk {wrong[0].index} is wrong ({len(wrong)} such)"
            yield self._resend("upload.bad_chunk", upload, wrong, detail)
        if upload.state == "assembling" and upload.sha256 is None and len(chunks) < upload.chunk_count:
            detail = f"it is assembled of {len(chunks)} of {upload.chunk_count} chunks"
            changes = {"state": "receiving", "updated_at": self.database.now()}
            yield Finding(
                "upload.incomplete",
                upload.id,
                detail,
                "it takes chunks again",
                lambda: self._changed(upload, changes),
            )

    def _parts(self, upload: Upload, chunks: list[Chunk]) -> Iterator[Finding]:
        if not isinstance(self.storage, KnowsParts) or upload.lease_until > self.database.now():
            return  # or somebody assembles it just now
        there = self.storage.parts_of(upload.storage_key, upload.parts_handle)
        if upload.state == "assembling":
            if there is None and not self._is_further(upload):
                detail = "it is assembled, and the storage has neither its parts nor the object"
                remedy = "it fails, with the reason"
                yield Finding("upload.lost_parts", upload.id, detail, remedy, lambda: self._fail(upload), is_loss=True)
        elif there is None:
            detail = f"{len(chunks)} chunks were received, and the storage knows nothing of them"
            mend = self._aborting(upload)
            yield Finding("upload.lost_parts", upload.id, detail, "it is aborted", mend, is_loss=True)
        elif lost := [chunk for chunk in chunks if _fits(upload, chunk) and there.get(chunk.index) != chunk.length]:
            detail = f"chunk {lost[0].index} was received, and the storage does not have it ({len(lost)} such)"
            yield self._resend("upload.lost_chunks", upload, lost, detail)

    def _is_further(self, upload: Upload) -> bool:
        """The parts were completed: the object is where uploads arrive, or at its last place."""
        if self.storage.stat(upload.storage_key) is not None or upload.sha256 is None:
            return self.storage.stat(upload.storage_key) is not None
        blob = self.database.blobs.get(blob_id(upload.owner, upload.sha256))
        return blob is not None and self.storage.stat(blob.key) is not None

    def _resend(self, code: str, upload: Upload, chunks: list[Chunk], detail: str) -> Finding:
        if upload.state not in UPLOAD_RECEIVING:
            return Finding(code, upload.id, detail, is_loss=True)

        def forget() -> bool:
            expect = [(chunk.id, {"token": chunk.token, "rev": chunk.rev}) for chunk in chunks]
            return sum(self.database.chunks.remove(each, what) for each, what in expect) > 0

        return Finding(code, upload.id, detail, "their records go, so that they are sent again", forget, is_loss=True)

    def _aborting(self, upload: Upload) -> Callable[[], bool]:
        def abort() -> bool:
            if upload.state in UPLOAD_RECEIVING:
                return self.ingest.end(upload, "aborted")
            told = Event(
                "upload.aborted", now := self.database.now(), upload.owner, upload.asset_id, data=_named(upload)
            )
            return self._changed(upload, {"state": "aborted", "updated_at": now}, told)

        return abort

    def _fail(self, upload: Upload) -> bool:
        now, error, outbox = self.database.now(), error_of(LOST, _GONE), self.ingest.outbox
        changes = {"state": "failed", "error": error, "updated_at": now}
        told = Event("upload.failed", now, upload.owner, upload.asset_id, data=_named(upload) | error)
        if not self._changed(upload, changes, told):
            return False
        told = Event("asset.failed", now, upload.owner, upload.asset_id, data=error)
        outbox.change(self.database.assets, upload.asset_id, {"state": "created"}, changes, told)
        return True

    def _changed(self, upload: Upload, changes: dict[str, Any], *told: Event) -> bool:
        """Unless somebody assembles it just now."""
        expect = {"state": upload.state, "lease_until": Below(self.database.now())}
        return self.ingest.outbox.change(self.database.uploads, upload.id, expect, changes, *told) is not None


def _named(upload: Upload) -> dict[str, Any]:
    return {"upload_id": upload.id}


@dataclass(frozen=True, slots=True)
class ChunkExaminer:
    """Finds chunks of no upload."""

    database: Database

    kind = "chunks"

    def suspects(self, told: Callable[[int], None]) -> Iterator[Finding]:
        for page in pages(self.database.chunks):
            yield from self._look(page)
            told(len(page))

    def again(self, subject: str) -> Iterator[Finding]:
        chunk = self.database.chunks.get(subject)
        return self._look([chunk] if chunk else [])

    def _look(self, chunks: Iterable[Chunk]) -> Iterator[Finding]:
        chunks = list(chunks)
        uploads = by_id(self.database.uploads, (chunk.upload_id for chunk in chunks))
        for chunk in chunks:
            if chunk.upload_id not in uploads:
                detail = f"it is of the upload {chunk.upload_id}, which is not there"
                # who claimed it late and died leaves one, which a collector takes away
                is_old = chunk.state != "writing" or chunk.lease_until < self.database.now() - OLD_SECONDS
                mend = self._removing(chunk)
                yield Finding("chunk.no_upload", chunk.id, detail, "it is removed", mend, note=not is_old)

    def _removing(self, chunk: Chunk) -> Callable[[], bool]:
        return lambda: self.database.chunks.remove(chunk.id, {"rev": chunk.rev})


def _fits(upload: Upload, chunk: Chunk) -> bool:
    length = min(upload.chunk_size_bytes, upload.size_bytes - chunk.index * upload.chunk_size_bytes)
    is_one = 0 <= chunk.index < upload.chunk_count and chunk.id == chunk_id(upload.id, chunk.index)
    return is_one and chunk.length == length and (chunk.sha256 is not None or upload.direct)
