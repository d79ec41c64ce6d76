"""What a plugin finds in the service's database: documents of its own, and the log of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

from mediaflow.domain.errors import ConfigurationError
from mediaflow.domain.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A document of a plugin. `id` is the plugin's own choice, unique among all of its records: one that follows from
    what it is about makes a repeated insert harmless.

    `kind`, `owner`, `subject` and `state` are texts to find it by; `due_at` is the time at which something is to be
    done about it, in seconds since the epoch (UTC; None: nothing is). `data` holds JSON values, at most 256 KiB of
    them. `created_at` and `rev`, which grows with each change, are kept by the store.
    """

    id: str
    kind: str
    owner: str = ""
    subject: str = ""
    state: str = ""
    due_at: float | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    created_at: float = 0.0
    rev: int = 1


class Records(Protocol):
    """The records of one plugin. No other plugin sees them. Each operation is atomic; Unavailable without a database.

    ValueError or TypeError for what no record can have.
    """

    def insert(self, record: Record) -> bool:
        """Keep a new record, durably. False (and nothing changed) when one with this id is there already."""
        ...

    def get(self, record_id: str) -> Record | None:
        """The record as it is now, or None."""
        ...

    def change(
        self, record_id: str, changes: Mapping[str, Any], *, rev: int | None = None, state: str | None = None
    ) -> Record | None:
        """Set `owner`, `subject`, `state`, `due_at` or `data` (the whole of it) of the record, if it is still at that
        revision and in that state (None: at any). The record as it is then; else None, and nothing changed.
        """
        ...

    def find(
        self,
        kind: str,
        *,
        owner: str | None = None,
        subject: str | None = None,
        state: str | None = None,
        due_before: float | None = None,
        newest_first: bool = False,
        skip: int = 0,
        limit: int = 100,
    ) -> Sequence[Record]:
        """Records of a kind that have all of this, the oldest first; with `due_before` those that are due by then, the
        longest due first.
        """
        ...

    def count(
        self, kind: str, *, owner: str | None = None, subject: str | None = None, state: str | None = None
    ) -> int:
        """How many records of a kind have all of this."""
        ...

    def remove(self, record_id: str, *, rev: int | None = None) -> bool:
        """Remove the record, if it is there and still at that revision (None: at any); True when it did."""
        ...


class EventReader(Protocol):
    """The log of all events, in the order of their numbers, which are consecutive. It goes back some days
    (`MEDIAFLOW_EVENT_DAYS`).

    Whoever keeps the number of the last event that it dealt with, and asks for what follows it, misses none: not even
    one whose listeners failed.
    """

    def after(
        self, number: int, *, owner: str | None = None, asset_id: str | None = None, limit: int = 500
    ) -> Sequence[Event]:
        """The events that follow that number (0: from the first that is there), in order; all, or those of an owner's
        assets, or of one asset.
        """
        ...

    def first(self) -> int:
        """The number of the oldest event that is still there; 0 when there never was one."""
        ...

    def last(self) -> int:
        """The number of the newest event; 0 when there never was one."""
        ...


class _NoDatabase:
    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ConfigurationError(
            f"`{name}` needs a database, which web server, workers and commands have, and the process of a step has not"
        )


def no_database() -> Any:
    """Records and events where there is no database: in the process of a step, and in a test that brings none."""
    return _NoDatabase()
