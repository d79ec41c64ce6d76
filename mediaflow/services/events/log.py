"""The log of events: one order for all of them, in which nothing appears later before what is already there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from mediaflow.domain.eventlog import LoggedEvent
from mediaflow.domain.events import Event
from mediaflow.services.ports import Below, Between, Database

MOST: Final = 500
"""So many events are read, or removed, at a time."""


@dataclass(frozen=True, slots=True)
class EventLog:
    """Appends events and reads them by their numbers. Those that are older than some days are removed."""

    database: Database

    def append(self, event: Event) -> Event:
        """The event with its number. One that is there already keeps the number that it has."""
        known = self.database.events.find({"uid": event.id}, sort=("number",), limit=1)
        if known:
            return event.numbered(known[0].number)
        number, now = self.last() + 1, self.database.now()
        # a number that is taken has an event before ours: so none becomes visible before those that it follows
        while not self.database.events.insert(LoggedEvent.of(event, number, now)):
            number += 1
        return event.numbered(number)

    def last(self) -> int:
        """The number of the newest event; 0 when there never was one."""
        return self._end("-number")

    def first(self) -> int:
        """The number of the oldest event that is still there; 0 when there never was one."""
        return self._end("number")

    def after(
        self, number: int, *, owner: str | None = None, asset_id: str | None = None, limit: int = MOST
    ) -> list[Event]:
        """The events that follow that number, in order: all, or those of an owner's assets, or of one asset.

        Whoever goes on after the last of them misses none, unless what follows `number` was removed meanwhile
        (`first`).
        """
        where: dict[str, Any] = {"number": Between(number + 1, None)}
        where |= {} if owner is None else {"owner": owner}
        where |= {} if asset_id is None else {"asset_id": asset_id}
        return [logged.event for logged in self.database.events.find(where, sort=("number",), limit=limit)]

    def forget(self, before: float) -> None:
        """Remove some of the events that were appended before that time. The last one stays: numbers go on after it."""
        where = {"logged_at": Below(before), "number": Below(self.last())}
        for logged in self.database.events.find(where, sort=("logged_at",), limit=MOST):
            self.database.events.remove(logged.id)

    def _end(self, sort: str) -> int:
        found = self.database.events.find({}, sort=(sort,), limit=1)
        return found[0].number if found else 0
