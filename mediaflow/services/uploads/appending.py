"""What becomes of bytes that arrive in a row: whole chunks of the upload, and what is left in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Protocol

from mediaflow.domain.errors import Busy, InvalidInput, NotFound
from mediaflow.domain.records import Upload
from mediaflow.domain.states import UPLOAD_RECEIVING
from mediaflow.domain.transfers import Transfer
from mediaflow.plugin import Storage
from mediaflow.services.ports import Database
from mediaflow.services.uploads.chunks import ChunkBody, ChunkWriter, chunk_length
from mediaflow.services.uploads.holding import Holding
from mediaflow.services.uploads.ingest import Ingest
from mediaflow.services.uploads.pieces import PIECE_BYTES, Gathered, Pieces, behind


class Wrong(InvalidInput):
    """The bytes that came are not those that were sent."""

    default_code = "upload.checksum_mismatch"


class Verifier(Protocol):
    """A digest that was declared of the bytes of one request."""

    def update(self, block: bytes, /) -> None: ...
    def agrees(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Appending:
    """Appends to a transfer that is held. Each method gives it as it then is."""

    database: Database
    storage: Storage
    ingest: Ingest
    holding: Holding

    @property
    def pieces(self) -> Pieces:
        """Its objects in the storage."""
        return Pieces(self.storage)

    def take(self, held: Transfer, blocks: Iterator[bytes], told: Callable[[int], None] = lambda _: None) -> Transfer:
        """With the blocks; what came before they broke off stays. Each offset that is kept meanwhile is `told`."""
        gathered = Gathered(self._room(held))
        try:
            for block in blocks:
                rest = block
                while rest := gathered.take(rest):
                    held = self._advanced(held, gathered)
                    told(held.offset)
                    gathered.close()
                    gathered = Gathered(self._room(held))
        except BaseException:
            self._advanced(held, gathered)
            raise
        else:
            return self._advanced(held, gathered)
        finally:
            gathered.close()

    def take_verified(
        self, held: Transfer, blocks: Iterator[bytes], verifier: Verifier, announced: int | None = None
    ) -> Transfer:
        """With all the blocks if they are what was declared, else without any: Wrong. Where they are `announced` to be
        just the next chunk, each byte is written once.
        """
        if held.announced and held.offset == held.poured and announced == self._next_chunk(held):
            proven = _Proven(blocks, verifier)
            try:
                return self._written(held, proven, [])
            except Busy:
                if proven.begun:
                    raise  # else a dead one's claim: they wait as pieces
        before, unproven, gathered = held.pieces, held, Gathered(PIECE_BYTES)
        try:
            for block in blocks:
                verifier.update(block)
                rest = block
                while rest := gathered.take(rest):
                    unproven = replace(unproven, pieces=self._kept(unproven, gathered))
                    gathered.close()
                    gathered = Gathered(PIECE_BYTES)
            _check(verifier)
            unproven = replace(unproven, pieces=self._kept(unproven, gathered))
            held = self.holding.changed(held, pieces=unproven.pieces)
        except BaseException:
            self.pieces.drop(unproven.pieces, before)
            raise
        finally:
            gathered.close()
        self.pieces.drop(before, held.pieces)
        return self.poured(held)

    def _kept(self, transfer: Transfer, gathered: Gathered) -> list[dict[str, Any]]:
        return self.pieces.keep(transfer, gathered) if gathered.size else transfer.pieces

    def _advanced(self, held: Transfer, gathered: Gathered) -> Transfer:
        """With what was gathered: as the end of a chunk if it is one, else as a piece."""
        if not gathered.size:
            return held
        if held.announced and held.offset + gathered.size - held.poured == self._next_chunk(held):
            try:
                return self._written(held, chain(self.pieces.read(held.pieces), gathered.read()), [])
            except Busy:
                pass  # a dead one's claim of the chunk lasts a while; the bytes wait as a piece
        kept = self.pieces.keep(held, gathered)
        try:
            changed = self.holding.changed(held, pieces=kept)
        except BaseException:
            self.pieces.drop(kept, held.pieces)
            raise
        self.pieces.drop(held.pieces, kept)
        return self.poured(changed)

    def poured(self, held: Transfer) -> Transfer:
        """With all pieces that fill chunks in chunks."""
        while held.announced and (size := self._next_chunk(held)) and held.offset - held.poured >= size:
            try:
                held = self._written(held, self.pieces.read(held.pieces, size), behind(held.pieces, size))
            except Busy:
                return held
        return held

    def _written(self, held: Transfer, blocks: Iterable[bytes], left: list[dict[str, Any]]) -> Transfer:
        """With its next chunk of these blocks, and these pieces behind it."""
        upload = self._receiving(held)
        index = held.poured // upload.chunk_size_bytes
        body = ChunkBody(upload, index, blocks, content_length=None, digest=None)
        ChunkWriter(self.database, self.ingest.parts, self.ingest.elapsed).write(upload, index, body)
        self.ingest.begun(upload)
        changed = self.holding.changed(held, poured=held.poured + body.length, pieces=left)
        self.pieces.drop(held.pieces, left)
        self.ingest.metrics.count("mediaflow_upload_bytes_total", body.length)
        return changed

    def _room(self, held: Transfer) -> int:
        """What is gathered before it is kept."""
        left = self._next_chunk(held) - (held.offset - held.poured) if held.announced else 0
        return left if left > 0 else PIECE_BYTES

    def _next_chunk(self, held: Transfer) -> int:
        """The bytes of the chunk that comes next; 0 behind the last one."""
        upload = self._receiving(held)
        index = held.poured // upload.chunk_size_bytes
        return chunk_length(upload, index) if index < upload.chunk_count else 0

    def _receiving(self, held: Transfer) -> Upload:
        upload = self.database.uploads.get(held.upload_id)
        if upload is None or upload.state not in UPLOAD_RECEIVING:
            raise NotFound("The upload has ended.", code="upload.not_receiving")
        return upload


class _Proven:
    """Blocks behind which Wrong is raised when they are not what was declared."""

    def __init__(self, blocks: Iterator[bytes], verifier: Verifier) -> None:
        self.begun, self._blocks, self._verifier = False, blocks, verifier

    def __iter__(self) -> Iterator[bytes]:
        self.begun = True
        for block in self._blocks:
            self._verifier.update(block)
            yield block
        _check(self._verifier)


def _check(verifier: Verifier) -> None:
    if not verifier.agrees():
        raise Wrong("The bytes do not match their checksum; nothing of this request is kept.")
