"""Removes what nothing names, in two passes: found by one, removed by one that comes later and finds the same.

A pass may be any worker's, or `mediaflow gc`; what it finds is a document, so that the next may be another's. Nothing
is removed that was written lately, nor what a fresh look shows to be named, nor what has changed since it was found.
Each pass ends with stale records (`stalerecords.py`), which one look is enough for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import structlog

from mediaflow.domain.ids import derived_id
from mediaflow.domain.leftovers import Leftover
from mediaflow.plugin import KnowsParts, Reception, Storage
from mediaflow.services.integrity.garbage import Garbage
from mediaflow.services.integrity.stalerecords import StaleRecords
from mediaflow.services.ports import Database

_log = structlog.get_logger(__name__)
MOST_FOUND: Final = 100_000
"""So many places are remembered; the others' turn comes when these are gone."""
SWEEP_SECONDS: Final = 0.5
"""After this time a sweep leaves the rest of its pass to the next: the pulse that it runs in has more to do."""
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
        for told in StaleRecords(self.database, self.storage).removed(dry=dry):
            yield None if told is None else Done("removed", told)

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
