"""Records that nobody needs any more, and what is in them: who stood still while it was cleared away wrote it late."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mediaflow.domain.leftovers import Leftover
from mediaflow.domain.records import Chunk
from mediaflow.domain.states import UPLOAD_RECEIVING
from mediaflow.plugin import Storage
from mediaflow.services.integrity.findings import by_id, pages
from mediaflow.services.integrity.naming import is_needed
from mediaflow.services.ports import Database
from mediaflow.services.uploads.blobs import Blobs

CHUNK_SECONDS: Final = 30 * 86400.0
"""A month after the end of an upload nobody repeats a chunk of it, which is answered as a duplicate until then."""
CLAIM_SECONDS: Final = 86400.0
"""A day after the lease of a chunk whose upload is gone, nobody is left who claimed it; so with late segments."""
CHUNKS: Final = "records of chunks"
SEGMENTS: Final = "records of segments"
USERS: Final = "users of originals"


@dataclass(frozen=True, slots=True)
class StaleRecords:
    """Looks through all records of chunks, segments and originals, page by page."""

    database: Database
    storage: Storage

    def removed(self, *, dry: bool) -> Iterator[Leftover | None]:
        """Remove what is stale, as it goes; how many records of a kind that were, which is the `place`, or None for a
        page without any. With `dry`, nothing is changed.
        """
        yield from self._chunks(dry=dry)
        yield from self._segments(dry=dry)
        yield from self._users(dry=dry)

    def _chunks(self, *, dry: bool) -> Iterator[Leftover | None]:
        """Records of chunks whose upload ended a month ago, and of such as was gone when they were claimed.

        A request that stands still while its upload is purged, and dies right after it claimed, leaves one.
        """
        for page in pages(self.database.chunks):
            ended = self._ended(page)
            for chunk in ended:
                if not dry:
                    self.database.chunks.remove(chunk.id, {"rev": chunk.rev})
            yield self._told(CHUNKS, len(ended))

    def _segments(self, *, dry: bool) -> Iterator[Leftover | None]:
        """Records of segments that nobody can ask for any more: who stood still wrote them after the sweep of their
        generation, or after the purge of their asset.
        """
        now = self.database.now()
        for page in pages(self.database.segments):
            late = [made for made in page if made.created_at < now - CLAIM_SECONDS]
            assets = by_id(self.database.assets, (made.asset_id for made in late))
            unneeded = [m for m in late if (asset := assets.get(m.asset_id)) is None or not is_needed(asset, m, now)]
            for made in unneeded:
                if not dry:
                    self.database.segments.remove(made.id, {"rev": made.rev})
            yield self._told(SEGMENTS, len(unneeded))

    def _users(self, *, dry: bool) -> Iterator[Leftover | None]:
        """Assets that are gone, in the records of originals: who stood still while one was purged listed it, and died
        before he looked again. No asset comes back under its id.
        """
        for page in pages(self.database.blobs, by="key"):
            assets = by_id(self.database.assets, (user for blob in page for user in blob.assets))
            gone = [(blob, user) for blob in page for user in blob.assets if user not in assets]
            for blob, user in gone:
                if not dry:
                    Blobs(self.database, self.storage).leave(blob, user)
            yield self._told(USERS, len(gone))

    def _told(self, kind: str, count: int) -> Leftover | None:
        told = Leftover(id="", kind="objects", place=kind, found_at=self.database.now(), count=count)
        return told if count else None

    def _ended(self, chunks: list[Chunk]) -> list[Chunk]:
        uploads = by_id(self.database.uploads, (chunk.upload_id for chunk in chunks))
        now = self.database.now()
        ended = []
        for chunk in chunks:
            upload = uploads.get(chunk.upload_id)
            if upload is None:
                is_over = chunk.lease_until < now - CLAIM_SECONDS
            else:
                is_done = upload.state not in (*UPLOAD_RECEIVING, "assembling", "stored")
                is_over = is_done and upload.updated_at < now - CHUNK_SECONDS
            if is_over:
                ended.append(chunk)
        return ended
