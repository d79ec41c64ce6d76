"""Removes what nothing names, in two passes: found by one, removed by one that comes later and finds the same.

A pass may be any worker's, or `mediaflow gc`; what it finds is a document, so that the next may be another's. Nothing
is removed that was written lately, nor what a fresh look shows to be named, nor what has changed since it was found.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import structlog

from mediaflow.domain.ids import derived_id
from mediaflow.domain.leftovers import Leftover
from mediaflow.domain.records import Chunk
from mediaflow.domain.states import UPLOAD_RECEIVING
from mediaflow.plugin import KnowsParts, Reception, Storage
from mediaflow.services.integrity.findings import by_id, pages
from mediaflow.services.integrity.garbage import Garbage
from mediaflow.services.integrity.naming import is_needed
from mediaflow.services.ports import Database
from mediaflow.services.uploads.blobs import Blobs

_log = structlog.get_logger(__name__)
MOST_FOUND: Final = 100_000
"""So many places are remembered; the others' turn comes when these are gone."""
CHUNK_SECONDS: Final = 30 * 86400.0
"""A month after the end of an upload nobody repeats a chunk of it, which is answered as a duplicate until then."""
CLAIM_SECONDS: Final = 86400.0
"""A day after the lease of a chunk whose upload is gone, nobody is left who claimed it; so with late segments."""
SWEEP_SECONDS: Final = 0.5
"""After this time a sweep leaves the rest of its pass to the next: the pulse that it runs in has more to do."""
CHUNKS: Final = "records of chunks"
SEGMENTS: Final = "records of segments"
USERS: Final = "users of originals"
_ROUND: Final = derived_id("leftover", "round", "")


@dataclass(frozen=True, slots=True)
class Done:
    """What a pass did about a place: `removed` it, or `found` it, for a later pass to remove; or it is too `young`.
    `is_new`: it was found for the first time.
    """

    what: str
    place: Leftover
    is_new: bool = False


@dataclass(slots=True)
class Collector:
    """Passes over everything. `wait_seconds` lie between finding and removing."""

    database: Database
    storage: Storage
    wait_seconds: float

    def passing(self, *, dry: bool = False) -> Iterator[Done | None]:
        """One pass, as it goes; None in between, where nothing was found. With `dry`, nothing is changed."""
        room = MOST_FOUND - self.database.leftovers.count({"kind": "objects"})
        for place in Garbage(self.database, self.storage).all():
            done = None if place is None else self._treat(place, dry=dry, room=room)
            room += 0 if done is None else (done.what == "removed") - done.is_new
            yield done
        yield from self._chunks(dry=dry)
        yield from self._segments(dry=dry)
        yield from self._users(dry=dry)

    def _treat(self, place: Leftover, *, dry: bool, room: int) -> Done | None:
        now = self.database.now()
        if place.changed_at > now - self.wait_seconds:
            return Done("young", place)
        known = self.database.leftovers.get(place.id)
        if known is not None and known.found_at <= now - self.wait_seconds and known.changed_at == place.changed_at:
            if dry:
                return Done("removed", place)
            return Done("removed", place) if self._remove(known) else None
        if not dry and known is not None and known.changed_at != place.changed_at:
            self.database.leftovers.remove(place.id, {"rev": known.rev})
            known = None
        if not dry and known is None and (room <= 0 or not self.database.leftovers.insert(place)):
            return None
        return Done("found", place, is_new=known is None)

    def _remove(self, known: Leftover) -> bool:
        """After a fresh look at documents and storage."""
        now = Garbage(self.database, self.storage).again(known)
        if now is not None and now.changed_at == known.changed_at:
            if known.kind == "parts" and isinstance(self.storage, KnowsParts):
                self.storage.discard(Reception(known.place, known.key, known.changed_at, known.size_bytes))
            elif known.kind == "objects":
                self._delete(known)
            _log.info("garbage removed", place=known.place, objects=known.count, bytes=known.size_bytes)
        self.database.leftovers.remove(known.id, {"rev": known.rev})
        return now is not None

    def _delete(self, known: Leftover) -> None:
        for info in Garbage(self.database, self.storage).objects(known.place):
            if info.modified_at <= known.changed_at:
                self.storage.delete(info.key)

    def _chunks(self, *, dry: bool) -> Iterator[Done | None]:
        """Records of chunks whose upload ended a month ago, and of such as was gone when they were claimed.

        A request that stands still while its upload is purged, and dies right after it claimed, leaves one.
        """
        for page in pages(self.database.chunks):
            ended = self._ended(page)
            for chunk in ended:
                if not dry:
                    self.database.chunks.remove(chunk.id, {"rev": chunk.rev})
            yield self._removed(CHUNKS, len(ended))

    def _segments(self, *, dry: bool) -> Iterator[Done | None]:
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
            yield self._removed(SEGMENTS, len(unneeded))

    def _users(self, *, dry: bool) -> Iterator[Done | None]:
        """Assets that are gone, in the records of originals: who stood still while one was purged listed it, and died
        before he looked again. No asset comes back under its id.
        """
        for page in pages(self.database.blobs, by="key"):
            assets = by_id(self.database.assets, (user for blob in page for user in blob.assets))
            gone = [(blob, user) for blob in page for user in blob.assets if user not in assets]
            for blob, user in gone:
                if not dry:
                    Blobs(self.database, self.storage).leave(blob, user)
            yield self._removed(USERS, len(gone))

    def _removed(self, what: str, count: int) -> Done | None:
        """To tell of so many records, which are no places; None for none."""
        told = Leftover(id="", kind="objects", place=what, found_at=self.database.now(), count=count)
        return Done("removed", told) if count else None

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


@dataclass(slots=True)
class CollectorSweeper:
    """Passes by one worker of all, every `every_seconds` (0: never), a little in each sweep."""

    collector: Collector
    every_seconds: float
    _passing: Iterator[Done | None] | None = field(default=None)

    def sweep(self) -> None:
        """Go on with this process's pass, or begin one when it is time and nobody else has."""
        if self._passing is None and not self._begins():
            return
        passing, self._passing = self._passing or self.collector.passing(), None
        end = time.monotonic() + SWEEP_SECONDS
        for _ in passing:
            if time.monotonic() > end:
                self._passing = passing
                return

    def _begins(self) -> bool:
        """Take the one record that tells when a pass began last."""
        if not self.every_seconds:
            return False
        leftovers, now = self.collector.database.leftovers, self.collector.database.now()
        last = leftovers.get(_ROUND)
        if last is None:
            return leftovers.insert(Leftover(id=_ROUND, kind="round", place="", found_at=now))
        if last.found_at > now - self.every_seconds:
            return False
        return leftovers.change(_ROUND, {"found_at": last.found_at}, {"found_at": now}) is not None
