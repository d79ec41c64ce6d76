"""What the tests of the repository contract share: every kind of record, filled with something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from mediaflow.domain.credentials import ApiKey, LoginCode
from mediaflow.domain.eventlog import LoggedEvent, Tombstone
from mediaflow.domain.ids import new_id
from mediaflow.domain.imports import Import, SourceFile
from mediaflow.domain.leftovers import Leftover
from mediaflow.domain.madesegments import MadeSegment
from mediaflow.domain.pluginrecords import PluginRecord
from mediaflow.domain.queue import QueueState
from mediaflow.domain.records import Asset, Blob, Chunk, Job, Task, Upload
from mediaflow.domain.requestrecords import Answer, AuditEntry
from mediaflow.domain.transfers import Transfer
from mediaflow.domain.turns import Turn
from mediaflow.persistence.fields import fields_of
from mediaflow.services.ports import (
    Database,
)

TABLES: dict[str, type[Any]] = {
    "uploads": Upload,
    "chunks": Chunk,
    "assets": Asset,
    "jobs": Job,
    "tasks": Task,
    "login_codes": LoginCode,
    "blobs": Blob,
    "api_keys": ApiKey,
    "audit": AuditEntry,
    "queue": QueueState,
    "answers": Answer,
    "events": LoggedEvent,
    "tombstones": Tombstone,
    "plugin_records": PluginRecord,
    "turns": Turn,
    "leftovers": Leftover,
    "segments": MadeSegment,
    "transfers": Transfer,
    "imports": Import,
    "source_files": SourceFile,
}
IN_ONE_PROCESS = {
    "mongomock": "mongomock lives in one process, and its find_one_and_update is a find and an update apart",
    "memory": "the simulation has neither threads nor processes: it interleaves calls itself",
}


class Backend(Protocol):
    """What the fixture `backend` gives."""

    @property
    def name(self) -> str: ...
    @property
    def open(self) -> Callable[[], Database]: ...
    @property
    def stored(self) -> Callable[[str], list[dict[str, Any]]]: ...


PLAIN: dict[str, Any] = {"text": "x", "integer": 1, "number": 1.5, "flag": False, "object": {}, "list": []}


def make(kind: type[Any], /, **given: Any) -> Any:
    """A record with something in every field that has no default."""
    needed = [field for field in fields_of(kind).values() if field.default is None and field.name not in given]
    filled = {field.name: field.choices[0] if field.choices else PLAIN[field.kind] for field in needed}
    return kind(**{"id": new_id()} | {k: v for k, v in filled.items() if k != "id"} | given)


def task(**given: Any) -> Task:
    made: Task = make(Task, **{"state": "pending", "stage": "step"} | given)
    return made


def asset(**given: Any) -> Asset:
    made: Asset = make(Asset, **given)
    return made
