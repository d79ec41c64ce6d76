"""Bytes that their owner has here already need not come again. Nobody learns of anybody else's."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from mediaflow.domain.errors import Conflict, LeaseLost, NotFound
from mediaflow.domain.ids import chunk_id
from mediaflow.domain.records import Chunk, Upload
from mediaflow.plugin import ReceivesParts, Storage
from mediaflow.services.ports import Database, Wakeups
from mediaflow.services.uploads.blobs import Blobs, blob_id
from mediaflow.services.uploads.chunks import ChunkBody
from mediaflow.services.uploads.originals import is_in_place


@dataclass(frozen=True, slots=True)
class Sharing:
    """Completes uploads of declared bytes that an original of the same owner has."""

    database: Database
    storage: Storage
    parts: ReceivesParts
    wakeups: Wakeups

    def shared(self, upload: Upload) -> Upload:
        """The upload, on its way to its asset without a byte if that can be."""
        sha256 = upload.declared_sha256
        if upload.dedup == "off" or sha256 is None or not self._is_held(upload, sha256):
            return upload
        changes = {"state": "assembling", "sha256": sha256, "shared": True, "updated_at": self.database.now()}
        changed = self.database.uploads.change(upload.id, {"state": "initialized"}, changes)
        if changed is None:
            return upload
        self.parts.abort_parts(upload.storage_key, upload.parts_handle)
        self.wakeups.wake_assembly(upload.id)
        return changed

    def _is_held(self, upload: Upload, sha256: str) -> bool:
        """Whether the original is there; then nobody deletes it, for the asset is listed among its users."""
        blob = self.database.blobs.get(blob_id(upload.owner, sha256))
        if blob is None or blob.state != "live" or not is_in_place(self.storage, blob.key, upload.size_bytes):
            return False
        blobs = Blobs(self.database, self.storage)
        try:
            key = blobs.link(upload.owner, sha256, upload.asset_id, upload.size_bytes)
        except LeaseLost:
            return False
        if is_in_place(self.storage, key, upload.size_bytes):
            return True
        linked = self.database.blobs.get(blob.id)  # its last user went while we looked
        if linked is not None:
            blobs.leave(linked, upload.asset_id)
        return False

    def repeated(self, upload: Upload, index: int, body: ChunkBody) -> Chunk:
        """A chunk of an upload that was complete without it, which its client sends all the same: Conflict when it is
        not what is here.
        """
        for _ in body:
            pass
        expected, at = hashlib.sha256(), index * upload.chunk_size_bytes
        try:
            for block in self.storage.read(self._key(upload), offset=at, length=body.length):
                expected.update(block)
        except NotFound as error:
            raise Conflict("The upload's asset was deleted.", code="upload.not_receiving") from error
        if expected.hexdigest() != body.sha256:
            raise Conflict(
                f"Chunk {index} is not that of the file whose SHA-256 was declared.", code="upload.chunk_differs"
            )
        where: dict[str, Any] = {"id": chunk_id(upload.id, index), "upload_id": upload.id, "index": index}
        return Chunk(**where, state="received", token="", lease_until=0.0, sha256=body.sha256, length=body.length)

    def _key(self, upload: Upload) -> str:
        blob = self.database.blobs.get(blob_id(upload.owner, upload.sha256 or ""))
        if blob is None or upload.asset_id not in blob.assets:
            raise NotFound("There is no such original.", code="storage.no_object")
        return blob.key
