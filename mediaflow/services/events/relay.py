"""From outboxes to the log and to listeners: at once by the process that wrote, later by a sweep when that one died."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import structlog

from mediaflow.domain.errors import Conflict, MediaflowError
from mediaflow.domain.eventlog import Tombstone
from mediaflow.domain.events import EVENTS, Event
from mediaflow.services.changing import TRIES
from mediaflow.services.events.log import EventLog
from mediaflow.services.events.telling import telling
from mediaflow.services.ports import Below, Database, Drop, Listeners, Metrics, Repository, Telling

_log = structlog.get_logger(__name__)
B = TypeVar("B", bound=Telling)
BATCH: Final = 200
OVERDUE_SECONDS: Final = 5.0
"""So long after a change, whoever made it has died or could not tell it."""
WAITING = "mediaflow_events_waiting_total"


@dataclass(frozen=True, slots=True)
class Relay:
    """Implements `services.ports.Outbox`, and sweeps what nobody told. Listeners hear of an event when it is logged.

    An event is taken out of its outbox last, so that a crash repeats it and never loses it.
    """

    database: Database
    listeners: Listeners
    metrics: Metrics

    # --- for who writes

    def change(
        self,
        records: Repository[B],
        record_id: str,
        expect: Mapping[str, Any],
        changes: Mapping[str, Any],
        *events: Event,
    ) -> B | None:
        changed = records.change(record_id, expect, {**changes, **telling(*events)})
        if changed is None or not events:
            return changed
        # not what others have just written: they tell that themselves
        return self._told_if_possible(records, changed, {event.id for event in events}) or changed

    def tell(self, records: Repository[B], record_id: str) -> None:
        try:
            record = records.get(record_id)
            if record is not None:
                self._told(records, record)
        except MediaflowError as error:
            self._wait(record_id, error)

    def remove(self, records: Repository[B], record_id: str, expect: Mapping[str, Any] = {}) -> bool:
        for _ in range(TRIES):
            if records.remove(record_id, {**expect, "tell_at": None}):
                return True
            record = records.get(record_id)
            if record is None or record.tell_at is None:
                return False
            self._told(records, record)
        raise Conflict(f"Others keep changing {record_id}; it is not removed yet.")

    # --- for what nobody told

    def sweep(self) -> None:
        """Tell what waits for longer than somebody who lives would let it wait."""
        for records in self._sources():
            now = self.database.now()
            overdue = {"tell_at": Below(now - OVERDUE_SECONDS)}
            for record in records.find(overdue, sort=("tell_at",), limit=BATCH):
                # of several sweepers one tells it, and one whose asset is still there is not looked at again at once
                taken = records.change(record.id, {"tell_at": record.tell_at}, {"tell_at": now})
                if taken is not None:
                    self._told(records, taken)

    def _sources(self) -> Iterator[Repository[Any]]:
        database = self.database
        yield from (database.uploads, database.assets, database.jobs, database.tasks, database.tombstones)

    # --- how it is told

    def _told_if_possible(self, records: Repository[B], record: B, which: Collection[str]) -> B | None:
        try:
            return self._told(records, record, which)
        except MediaflowError as error:
            self._wait(record.id, error)
            return None

    def _told(self, records: Repository[B], record: B, which: Collection[str] | None = None) -> B | None:
        """Tell these events of the record, or all; the record as it is then, or None when others changed it."""
        if isinstance(record, Tombstone) and self.database.assets.peek(record.id, ("rev",)) is not None:
            return None  # its asset is being purged, and there is time to die before the end
        log = EventLog(self.database)
        # what only a newer version knows is left to it
        known = {key: kept for key, kept in record.outbox.items() if kept["name"] in EVENTS}
        events = [Event.of_document(key, kept) for key, kept in known.items() if which is None or key in which]
        # in the order in which they happened; written at one moment, they are in the order of the writes
        for event in sorted(events, key=lambda event: event.at):
            self.listeners.publish_event(log.append(event))
        return self._cleared(records, record, {event.id for event in events})

    def _cleared(self, records: Repository[B], record: B, told: set[str]) -> B | None:
        found: Mapping[str, Any] | None = {"rev": record.rev, "outbox": record.outbox}
        while found is not None and not told.isdisjoint(found["outbox"]):
            changes: dict[str, Any] = {"outbox": Drop(tuple(sorted(told)))}
            if told.issuperset(found["outbox"]):
                changes["tell_at"] = None
            # at the revision that was looked at: what somebody adds meanwhile keeps its time
            if (cleared := records.change(record.id, {"rev": found["rev"]}, changes)) is not None:
                return cleared
            found = records.peek(record.id, ("rev", "outbox"))
        return None

    def _wait(self, record_id: str, error: MediaflowError) -> None:
        _log.warning("events wait to be told", record_id=record_id, reason=error.detail)
        self.metrics.count(WAITING)
