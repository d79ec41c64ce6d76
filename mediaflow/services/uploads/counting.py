"""How many chunks of an upload are here: of ten thousand, a receipt costs no more than of ten."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from mediaflow.domain.records import Upload
from mediaflow.domain.states import UPLOAD_RECEIVING
from mediaflow.services.ports import Between, Database, Increment, OneOf

UNCOUNTED: Final = -1
"""Of an upload that an older version began, which counted its chunks each time."""
LOST_CHUNKS: Final = 16
"""So many processes may have died between a chunk and its count before the last chunk is not noticed at once."""
IDLE_SECONDS: Final = 60.0
_MOST: Final = 100


def received_chunks(database: Database, upload: Upload, *, counts: bool) -> int:
    """How many there are, with one that `counts`. Near the end all are counted, before it is said what was counted one
    by one.
    """
    counted: int = UNCOUNTED
    if upload.counted_chunks != UNCOUNTED and counts:
        # the time keeps `idle_and_whole` from an upload that goes on
        changes = {"counted_chunks": Increment(), "updated_at": database.now()}
        changed = database.uploads.change(upload.id, {"state": OneOf(UPLOAD_RECEIVING)}, changes)
        counted = UNCOUNTED if changed is None else changed.counted_chunks
    elif upload.counted_chunks != UNCOUNTED:
        seen = database.uploads.peek(upload.id, ("counted_chunks",))
        counted = UNCOUNTED if seen is None else int(seen["counted_chunks"])
    if UNCOUNTED < counted < upload.chunk_count - LOST_CHUNKS:
        return counted
    return _all(database, upload)


def idle_and_whole(database: Database) -> list[Upload]:
    """Uploads of which all is here and nobody noticed: processes died between a chunk and its count."""
    now = database.now()
    idle = {"state": "receiving", "updated_at": Between(now - 2 * IDLE_SECONDS, now - IDLE_SECONDS)}
    found = database.uploads.find(idle, limit=_MOST)
    return [each for each in found if each.auto_complete and _all(database, each) == each.chunk_count]


def _all(database: Database, upload: Upload) -> int:
    return database.chunks.count({"upload_id": upload.id, "state": "received"})


def missing_ranges(count: int, received: Container[int]) -> list[tuple[int, int]]:
    """Of so many chunks those that were not received, as ranges with both ends."""
    ranges: list[tuple[int, int]] = []
    for index in range(count):
        if index in received:
            continue
        if ranges and ranges[-1][1] == index - 1:
            ranges[-1] = (ranges[-1][0], index)
        else:
            ranges.append((index, index))
    return ranges
