"""The documents of what happened: the log that every event ends in, and what is left of a purged asset."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mediaflow.domain.events import Event
from mediaflow.domain.records import SCHEMA_VERSION

_DIGITS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedEvent:
    """An event at its place in the log. `id` is the number as text; `uid` is the event's own id. `at` is when it
    happened, `logged_at` when it was appended: later, when its process died before.

    Numbers are consecutive, and one is taken only when the one before is: who has read up to a number misses nothing
    by asking for what follows it.
    """

    id: str
    number: int
    uid: str
    name: str
    at: float
    owner: str
    asset_id: str | None = None
    job_id: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    logged_at: float = 0.0
    rev: int = 1
    schema: int = SCHEMA_VERSION

    @classmethod
    def of(cls, event: Event, number: int, logged_at: float) -> LoggedEvent:
        """The event with that number."""
        return cls(id=f"{number:0{_DIGITS}}", number=number, uid=event.id, logged_at=logged_at, **event.document())

    @property
    def event(self) -> Event:
        """The event as listeners know it."""
        return Event(self.name, self.at, self.owner, self.asset_id, self.job_id, self.data, self.uid, self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """That an asset was purged: set just before its document goes, told when that is gone. `id` is the asset's."""

    id: str
    owner: str
    purged_at: float
    outbox: dict[str, dict[str, Any]] = field(default_factory=dict)
    tell_at: float | None = None
    rev: int = 1
    schema: int = SCHEMA_VERSION
