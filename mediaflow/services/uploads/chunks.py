"""One chunk of an upload: claimed, written at its place, made durable, recorded; then never written again."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from mediaflow.domain.errors import Busy, Conflict, InvalidInput, Problem
from mediaflow.domain.ids import chunk_id, new_id
from mediaflow.domain.records import Chunk, Upload
from mediaflow.domain.states import LEASE_RENEW_SECONDS, LEASE_SECONDS, UPLOAD_RECEIVING
from mediaflow.plugin import ReceivesParts
from mediaflow.services.ports import Database


class ChunkBody:
    """A chunk's blocks, hashed and counted as they pass; raises when length or digest are not what was promised."""

    def __init__(
        self,
        upload: Upload,
        index: int,
        blocks: Iterable[bytes],
        *,
        content_length: int | None,
        digest: bytes | None,
    ) -> None:
        self.length = chunk_length(upload, index)
        if content_length is not None and content_length != self.length:
            raise _wrong_length(index, self.length, content_length)
        self.count = 0
        self._blocks, self._index, self._digest = blocks, index, digest
        self._hash = hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            self.count += len(block)
            if self.count > self.length:
                raise _wrong_length(self._index, self.length, self.count)
            self._hash.update(block)
            yield block
        if self.count != self.length:
            raise _wrong_length(self._index, self.length, self.count)
        if self._digest is not None and self._digest != self._hash.digest():
            problem = Problem("upload.digest_mismatch", "is not the SHA-256 of the received bytes", "/Content-Digest")
            raise InvalidInput(
                "The bytes do not match their digest.", code="upload.digest_mismatch", problems=(problem,)
            )

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


def chunk_length(upload: Upload, index: int) -> int:
    """The bytes of a chunk; InvalidInput when there is none of that number."""
    if not 0 <= index < upload.chunk_count:
        problem = Problem("upload.chunk_index", f"must be 0 to {upload.chunk_count - 1}, not {index}", "/index")
        raise InvalidInput("There is no such chunk in this upload.", code="upload.chunk_index", problems=(problem,))
    return min(upload.chunk_size_bytes, upload.size_bytes - index * upload.chunk_size_bytes)


def _wrong_length(index: int, expected: int, got: int) -> InvalidInput:
    problem = Problem("upload.chunk_length", f"chunk {index} has {expected} bytes, {got} were sent", "/Content-Length")
    return InvalidInput(
        "The chunk has another length than it must have.", code="upload.chunk_length", problems=(problem,)
    )


@dataclass(frozen=True, slots=True)
class ChunkWriter:
    """Writes chunks into a storage that receives parts."""

    database: Database
    parts: ReceivesParts
    elapsed: Callable[[], float] = time.monotonic

    def write(self, upload: Upload, index: int, body: ChunkBody) -> tuple[Chunk, bool]:
        """Take the body as that chunk; True beside it when just these bytes had been received before."""
        known = self.database.chunks.get(chunk_id(upload.id, index))
        if known is not None and known.state == "received":
            return self._repeated(known, body), True
        if upload.state not in UPLOAD_RECEIVING:
            raise Conflict(f"The upload is {upload.state}; it takes no more chunks.", code="upload.not_receiving")
        since = self.elapsed()
        claim = self._claim(upload, index, known)
        try:
            receipt = self.parts.put_part(
                upload.storage_key,
                upload.parts_handle,
                index,
                self._renewing(claim, body, since),
                offset=index * upload.chunk_size_bytes,
                length=body.length,
            )
            return self._record(claim, body, receipt), False
        except BaseException:
            self.database.chunks.remove(claim.id, {"token": claim.token, "state": "writing"})
            raise

    def _claim(self, upload: Upload, index: int, known: Chunk | None) -> Chunk:
        now, token = self.database.now(), new_id()
        claim = Chunk(
            id=chunk_id(upload.id, index),
            upload_id=upload.id,
            index=index,
            state="writing",
            token=token,
            lease_until=now + LEASE_SECONDS,
        )
        if known is None and self.database.chunks.insert(claim):
            return claim
        if known is not None and known.lease_until < now:
            # its lease may have been renewed since it was looked at
            expect = {"token": known.token, "state": "writing", "lease_until": known.lease_until}
            taken = self.database.chunks.change(known.id, expect, {"token": token, "lease_until": claim.lease_until})
            if taken is not None:
                return taken
        raise Busy(
            f"Chunk {index} is being written by another request.", code="upload.chunk_busy", retry_after_seconds=2
        )

    def _renewing(self, claim: Chunk, blocks: Iterable[bytes], since: float) -> Iterator[bytes]:
        """The blocks; while they arrive slowly, the claim is renewed, and given up when somebody else took it.

        `since` is when it was claimed: who stood still before the first block, or before the last one was taken, does
        not write over what another received meanwhile.
        """
        renewed = since
        for block in blocks:
            yield block
            # again when the renewal itself took that long
            while (asked := self.elapsed()) - renewed >= LEASE_RENEW_SECONDS:
                lease = {"lease_until": self.database.now() + LEASE_SECONDS}
                if self.database.chunks.change(claim.id, {"token": claim.token, "state": "writing"}, lease) is None:
                    raise Busy("Another request took over this chunk.", code="upload.chunk_busy", retry_after_seconds=2)
                renewed = asked

    def _record(self, claim: Chunk, body: ChunkBody, receipt: str) -> Chunk:
        changes = {"state": "received", "sha256": body.sha256, "length": body.count, "receipt": receipt}
        recorded = self.database.chunks.change(claim.id, {"token": claim.token, "state": "writing"}, changes)
        if recorded is None:
            raise Busy("Another request took over this chunk.", code="upload.chunk_busy", retry_after_seconds=2)
        return recorded

    def _repeated(self, known: Chunk, body: ChunkBody) -> Chunk:
        for _ in body:
            pass
        if body.sha256 != known.sha256:
            raise Conflict(
                f"Chunk {known.index} was received with other bytes; what is received is never overwritten.",
                code="upload.chunk_differs",
            )
        return known
