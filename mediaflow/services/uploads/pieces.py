"""Bytes of a transfer that are in no chunk yet: gathered while they arrive, and kept as small objects."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import IO, Any, Final

from mediaflow.domain import keys
from mediaflow.domain.ids import new_id
from mediaflow.domain.transfers import Transfer
from mediaflow.plugin import Storage

IN_MEMORY_BYTES: Final = 1 << 20
"""More of what arrives lies in a file that has no name."""
PIECE_BYTES: Final = 8 << 20
"""No piece is larger."""
SMALL_BYTES: Final = 1 << 20
MOST_SMALL: Final = 16
"""So many small ones become one, or whoever sends a byte a request would have a document and a storage full of them."""
_READ_BYTES: Final = 1 << 18


class Gathered:
    """What has arrived and is not kept yet; at most `room` bytes."""

    def __init__(self, room: int) -> None:
        self.size, self._room = 0, room
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 - closed by `close`

    @property
    def left(self) -> int:
        """How many more bytes it takes."""
        return self._room - self.size

    def take(self, block: bytes) -> bytes:
        """Take the beginning of a block, as much as there is room for; the rest of it."""
        taken = block[: self.left]
        self._file.write(taken)
        self.size += len(taken)
        return block[len(taken) :]

    def read(self) -> Iterator[bytes]:
        """All of it, in blocks."""
        self._file.seek(0)
        while block := self._file.read(_READ_BYTES):
            yield block

    def close(self) -> None:
        """Forget it."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class Pieces:
    """The objects of one storage."""

    storage: Storage

    def keep(self, transfer: Transfer, gathered: Gathered) -> list[dict[str, Any]]:
        """Keep what was gathered behind the transfer's pieces; all of them as they are then. `drop` removes those that
        are not among them any more, or the new one when nobody got to know of it.
        """
        small = len(list(_small(transfer.pieces)))
        kept = list(transfer.pieces)
        together = kept[len(kept) - small :] if small >= MOST_SMALL else []
        blocks = chain(self.read(together), gathered.read())
        size = sum(piece["size"] - piece["skip"] for piece in together) + gathered.size
        key = keys.piece_key(transfer.id, new_id())
        self.storage.put(key, blocks, size_bytes=size, content_type="application/octet-stream")
        return [*kept[: len(kept) - len(together)], {"key": key, "size": size, "skip": 0}]

    def read(self, pieces: Sequence[Mapping[str, Any]], most: int | None = None) -> Iterator[bytes]:
        """Their bytes that are in no chunk, or the first so many of them."""
        for piece in pieces:
            length = piece["size"] - piece["skip"]
            if most is not None:
                length, most = min(length, most), most - min(length, most)
            if length:
                yield from self.storage.read(piece["key"], offset=piece["skip"], length=length)

    def drop(self, before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]] = ()) -> None:
        """Remove the objects of those that are not there any more."""
        left = {piece["key"] for piece in after}
        for piece in before:
            # a partial transfer's own pieces are not those of what was put together of it
            if piece["key"] not in left and not piece.get("shared"):
                self.storage.delete(piece["key"])


def behind(pieces: Sequence[Mapping[str, Any]], poured: int) -> list[dict[str, Any]]:
    """The pieces that are left when so many of their bytes are in chunks."""
    found = []
    for piece in pieces:
        taken = min(poured, piece["size"] - piece["skip"])
        poured -= taken
        if piece["skip"] + taken < piece["size"]:
            found.append({**piece, "skip": piece["skip"] + taken})
    return found


def _small(pieces: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The last ones, as far back as they are small."""
    for piece in reversed(pieces):
        if piece["size"] > SMALL_BYTES:
            return
        yield piece
