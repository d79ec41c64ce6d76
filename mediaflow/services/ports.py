"""What services need of the world: documents, wake-ups, metrics, plugins. Implementations are wired in `runtime/`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from mediaflow.domain.credentials import ApiKey, LoginCode
from mediaflow.domain.eventlog import LoggedEvent, Tombstone
from mediaflow.domain.events import Event
from mediaflow.domain.imports import Import, SourceFile
from mediaflow.domain.leftovers import Leftover
from mediaflow.domain.madesegments import MadeSegment
from mediaflow.domain.media import MediaInfo
from mediaflow.domain.pluginrecords import PluginRecord
from mediaflow.domain.profile import Profile
from mediaflow.domain.queue import QueueState
from mediaflow.domain.records import Asset, Blob, Chunk, Job, Task, Upload
from mediaflow.domain.requestrecords import Answer, AuditEntry
from mediaflow.domain.states import Stage
from mediaflow.domain.transfers import Transfer
from mediaflow.domain.turns import Turn
from mediaflow.plugin import ManifestFormat, MediaContext, Periodic, Problem, Step, Storage, UploadDraft
from mediaflow.services.terms import After, Below, Between, Contains, Drop, HasPrefixes, Increment, OneOf, Put, Sum

R = TypeVar("R")
B = TypeVar("B", bound="Telling")


class Repository(Protocol[R]):
    """Documents of one kind.

    Conditions map a field's name to a value (equality; None matches None) or to a condition of `terms.py`. Every
    operation touches one document atomically; none needs a transaction over several.
    """

    def insert(self, record: R) -> bool:
        """Keep a new record, durably. False (and nothing changed) when one with this id is there already."""

    def insert_all(self, records: Sequence[R]) -> None:
        """Keep those of the records that are not there already, durably, in few commands. When it fails, some of them
        may be kept.
        """

    def get(self, record_id: str) -> R | None:
        """The record as it is now, or None."""

    def peek(self, record_id: str, fields: Sequence[str]) -> dict[str, Any] | None:
        """Only these fields of the record as it is now, by name, or None. Cheaper than `get` for large records."""

    def change(self, record_id: str, expect: Mapping[str, Any], changes: Mapping[str, Any]) -> R | None:
        """Compare and set: when the record meets every condition of `expect`, apply `changes` and add 1 to `rev`.

        Returns the record as it then is; else None, and nothing changed. Never creates.
        """

    def find(
        self, where: Mapping[str, Any], *, sort: Sequence[str] = ("id",), skip: int = 0, limit: int | None = None
    ) -> list[R]:
        """The records that meet every condition, sorted by fields (`-field` descends)."""

    def count(self, where: Mapping[str, Any]) -> int:
        """How many records meet every condition."""

    def total(self, field: str, where: Mapping[str, Any]) -> float:
        """The sum of a numeric field over the records that meet every condition; 0 when none does."""

    def sums(self, field: str, by: str, where: Mapping[str, Any]) -> dict[str, Sum]:
        """The same for each value that the text field `by` has among them, in one call; without one, left out."""

    def distinct(self, field: str, where: Mapping[str, Any]) -> list[str]:
        """The different values of a text field over the records that meet every condition, in any order."""

    def remove(self, record_id: str, expect: Mapping[str, Any] = {}) -> bool:
        """Remove the record if it is there and meets every condition; True when it did."""


class Database(Protocol):
    """All repositories of one database, and its clock (leases use it, so that hosts' clocks may differ)."""

    @property
    def uploads(self) -> Repository[Upload]: ...
    @property
    def chunks(self) -> Repository[Chunk]: ...
    @property
    def assets(self) -> Repository[Asset]: ...
    @property
    def jobs(self) -> Repository[Job]: ...
    @property
    def tasks(self) -> Repository[Task]: ...
    @property
    def login_codes(self) -> Repository[LoginCode]: ...
    @property
    def blobs(self) -> Repository[Blob]: ...
    @property
    def api_keys(self) -> Repository[ApiKey]: ...
    @property
    def audit(self) -> Repository[AuditEntry]: ...
    @property
    def queue(self) -> Repository[QueueState]: ...
    @property
    def answers(self) -> Repository[Answer]: ...
    @property
    def events(self) -> Repository[LoggedEvent]: ...
    @property
    def tombstones(self) -> Repository[Tombstone]: ...
    @property
    def turns(self) -> Repository[Turn]: ...
    @property
    def plugin_records(self) -> Repository[PluginRecord]: ...
    @property
    def segments(self) -> Repository[MadeSegment]: ...
    @property
    def leftovers(self) -> Repository[Leftover]: ...
    @property
    def transfers(self) -> Repository[Transfer]: ...
    @property
    def imports(self) -> Repository[Import]: ...
    @property
    def source_files(self) -> Repository[SourceFile]: ...

    def now(self) -> float:
        """The database's own time, seconds since the epoch (UTC)."""

    def ping(self) -> None:
        """Return when the database answers; raise `Unavailable` when it does not."""

    def close(self) -> None:
        """Give back connections and files. Calling it twice does no harm."""


@runtime_checkable
class CopiesDocuments(Protocol):
    """A database that can copy itself while it is written to, as it is at one moment."""

    def copy_to(self, path: Path) -> None:
        """Write all documents to a new file, which `open_database` opens; Unavailable when that is not possible."""


@runtime_checkable
class MarksSchema(Protocol):
    """A database that writes documents as an older version can read them, until it is told that none is there."""

    def raise_schema(self) -> None:
        """From now on write documents of the newest schema. Older versions refuse them."""


class Wakeups(Protocol):
    """Hints to workers that something may be claimable. Losing one, or all, costs time and nothing else."""

    def wake(self, stage: Stage, task_id: str) -> None:
        """Hint that this task can be claimed. Never raises: a failed hint is logged and counted."""

    def wake_assembly(self, upload_id: str) -> None:
        """Hint that this upload can be assembled. Never raises."""


class Metrics(Protocol):
    """Counters and histograms by their declared names (`observability/metrics.py`)."""

    def count(self, name: str, amount: float = 1, **labels: str) -> None: ...

    def observe(self, name: str, value: float, **labels: str) -> None: ...


class Listeners(Protocol):
    """Who is told of what happened, after it was recorded."""

    def publish_event(self, event: Event) -> None:
        """Tell every listener. What one of them raises is logged and counted, and harms nothing."""


class Telling(Protocol):
    """A record with an outbox (`domain/records.py`)."""

    @property
    def id(self) -> str: ...
    @property
    def rev(self) -> int: ...
    @property
    def outbox(self) -> dict[str, dict[str, Any]]: ...
    @property
    def tell_at(self) -> float | None: ...


class Outbox(Protocol):
    """Changes that tell something. What they tell is part of the same write, so that no crash comes in between.

    What is not told at once, because this process dies or the database is away, is told later: at least once.
    """

    def change(
        self,
        records: Repository[B],
        record_id: str,
        expect: Mapping[str, Any],
        changes: Mapping[str, Any],
        *events: Event,
    ) -> B | None:
        """`records.change`, which tells these events when it is made, at once if that is possible."""

    def tell(self, records: Repository[B], record_id: str) -> None:
        """Tell what the record has to tell, for changes and inserts that were made with `telling` or `with_told`.

        Never raises a MediaflowError: what can't be told now is told later.
        """

    def remove(self, records: Repository[B], record_id: str, expect: Mapping[str, Any] = {}) -> bool:
        """`records.remove` after what the record has to tell was told; Unavailable, and it stays, when it can't be."""


class Plugins(Listeners, Protocol):
    """What plugins offer, loaded, checked and frozen at start (`registry/`)."""

    @property
    def steps(self) -> Mapping[str, Step]: ...
    @property
    def manifests(self) -> Mapping[str, ManifestFormat]: ...
    @property
    def profiles(self) -> Mapping[str, Profile]: ...
    @property
    def periodics(self) -> Mapping[str, Periodic]: ...

    def entry_point_of_step(self, step: str) -> str: ...
    def plugin_of_manifest(self, name: str) -> str: ...
    def plugin_of_periodic(self, name: str) -> str: ...

    def run_periodic(self, name: str) -> None:
        """Do that work once. PluginFailed for whatever it raises."""

    def validate_upload(self, upload: UploadDraft) -> list[Problem]: ...

    def validate_media(self, media: MediaInfo, upload: UploadDraft) -> list[Problem]: ...

    def choose_profile(self, media: MediaInfo, upload: UploadDraft) -> str | None: ...

    def context(self) -> MediaContext: ...


__all__ = [
    "After",
    "Below",
    "Between",
    "Contains",
    "Database",
    "Drop",
    "HasPrefixes",
    "Increment",
    "Metrics",
    "OneOf",
    "Outbox",
    "Plugins",
    "Put",
    "Repository",
    "Storage",
    "Sum",
    "Wakeups",
]
