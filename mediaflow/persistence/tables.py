"""The tables (MongoDB: collections): one for each record type, with its indexes. Fields are read from the dataclass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from mediaflow.domain.credentials import ApiKey, LoginCode
from mediaflow.domain.eventlog import LoggedEvent, Tombstone
from mediaflow.domain.imports import Import, SourceFile
from mediaflow.domain.leftovers import Leftover
from mediaflow.domain.madesegments import MadeSegment
from mediaflow.domain.pluginrecords import PluginRecord
from mediaflow.domain.queue import QueueState
from mediaflow.domain.records import Asset, Blob, Chunk, Job, Task, Upload
from mediaflow.domain.requestrecords import Answer, AuditEntry
from mediaflow.domain.transfers import Transfer
from mediaflow.domain.turns import Turn
from mediaflow.persistence.listings import ASSET_LISTINGS, ASSET_LISTS, JOB_LISTINGS


@dataclass(frozen=True, slots=True)
class Table:
    """A table of records. `indexes` name their columns as a sort does (`-field` descends); none has the id in it.

    `brief` are the fields that listings filter and sort by, in a table whose records are large; `lists` are the lists
    of texts that they look into. SQLite keeps both beside the table, small and indexed (`sqlite/sides.py`).
    """

    name: str
    record: type[Any]
    indexes: tuple[tuple[str, ...], ...]
    brief: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()

    @property
    def brief_name(self) -> str:
        return f"{self.name}_brief"

    @property
    def lists_name(self) -> str:
        return f"{self.name}_lists"

    def indexes_of(self, *, brief: bool) -> dict[str, tuple[str, ...]]:
        """The indexes of the table itself, or those of its brief one (all whose columns are there), by name."""
        return {
            "_".join((self.brief_name if brief else self.name, *(key.removeprefix("-") for key in index))): index
            for index in self.indexes
            if {key.removeprefix("-") for key in index}.issubset(self.brief) == brief
        }


TELL: Final = ("tell_at",)
"""Of all that have an outbox: what waits there is found by it."""
UPLOADS: Final = Table(
    "uploads",
    Upload,
    (
        ("state", "expires_at"),
        ("state", "lease_until"),
        ("owner", "state"),
        ("asset_id",),
        ("parts_handle",),
        ("waits_since",),
        TELL,
    ),
)
CHUNKS: Final = Table("chunks", Chunk, (("upload_id", "index"),))
ASSETS: Final = Table(
    "assets",
    Asset,
    (
        *ASSET_LISTINGS,
        ("state",),
        ("owner", "sha256"),
        ("purge_at",),
        ("sweep_at",),
        ("watched_at",),
        ("original_wanted",),
        TELL,
    ),
    brief=(
        "owner",
        "upload_id",
        "title",
        "visibility",
        "state",
        "created_at",
        "updated_at",
        "size_bytes",
        "deleted_at",
        "purging",
    ),
    lists=ASSET_LISTS,
)
JOBS: Final = Table(
    "jobs",
    Job,
    (("asset_id",), ("state",), *JOB_LISTINGS, ("kind", "state", "owner"), ("kind", "finished_at"), TELL),
    brief=("asset_id", "owner", "state", "created_at", "kind"),
)
TASKS: Final = Table(
    "tasks",
    Task,
    (
        ("state", "ready", "lane", "-priority", "owner", "turn", "not_before", "stage"),
        ("owner", "lane", "started_at", "seconds"),
        ("job_id",),
        ("state", "lease_until"),
        ("state", "created_at"),
        ("state", "place"),
        TELL,
    ),
)
LOGIN_CODES: Final = Table("login_codes", LoginCode, (("expires_at",), ("user", "created_at")))
BLOBS: Final = Table("blobs", Blob, (("state",), ("key",)))
API_KEYS: Final = Table("api_keys", ApiKey, (("owner", "created_at"), ("revoked_at",), ("expires_at", "created_at")))
AUDIT: Final = Table("audit", AuditEntry, (("at",), ("user", "at"), ("asset_id", "at")))
QUEUE: Final = Table("queue", QueueState, ())
ANSWERS: Final = Table("answers", Answer, (("expires_at",),))
EVENTS: Final = Table(
    "events", LoggedEvent, (("number",), ("owner", "number"), ("asset_id", "number"), ("uid",), ("logged_at",))
)
TOMBSTONES: Final = Table("tombstones", Tombstone, (TELL, ("purged_at",)))
PLUGIN_RECORDS: Final = Table(
    "plugin_records",
    PluginRecord,
    (
        ("plugin", "kind", "created_at", "key"),
        ("plugin", "kind", "owner", "created_at", "key"),
        ("plugin", "kind", "subject", "created_at", "key"),
        ("plugin", "kind", "due_at"),
    ),
)
TURNS: Final = Table("turns", Turn, ())
SEGMENTS: Final = Table(
    "segments", MadeSegment, (("asset_id", "generation", "track"), ("eager", "created_at", "size_bytes"))
)
IMPORTS: Final = Table("imports", Import, (("state", "not_before"), ("owner", "state"), ("created_at",)))
SOURCE_FILES: Final = Table(
    "source_files", SourceFile, (("linked", "gone_at"), ("owner", "linked"), ("asset_id",), ("import_id",))
)
TRANSFERS: Final = Table("transfers", Transfer, (("expires_at",), ("owner", "state")))
LEFTOVERS: Final = Table("leftovers", Leftover, (("found_at",),))
TABLES: Final = (
    *(UPLOADS, CHUNKS, ASSETS, JOBS, TASKS, LOGIN_CODES, BLOBS, API_KEYS, AUDIT, ANSWERS),
    *(QUEUE, EVENTS, TOMBSTONES, PLUGIN_RECORDS, TURNS, LEFTOVERS, SEGMENTS, TRANSFERS, IMPORTS),
    SOURCE_FILES,
)
