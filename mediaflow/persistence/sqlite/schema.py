"""The tables, made from the dataclasses: one for each record type, a column for each field, JSON for lists and dicts.

A field that was added with a default is added to older files by itself. A change of any other kind raises
`SCHEMA_VERSION`, which the file keeps in `user_version`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mediaflow.domain.errors import ConfigurationError
from mediaflow.domain.records import (
    SCHEMA_VERSION,
    Answer,
    ApiKey,
    Asset,
    AuditEntry,
    Blob,
    Chunk,
    Job,
    LoginCode,
    Task,
    Upload,
)
from mediaflow.persistence.fields import Field, Kind, fields_of


@dataclass(frozen=True, slots=True)
class Table:
    """A table of records. `indexes` name their columns as a sort does (`-field` descends)."""

    name: str
    record: type[Any]
    indexes: tuple[tuple[str, ...], ...]


UPLOADS: Final = Table("uploads", Upload, (("state", "expires_at"), ("state", "lease_until"), ("asset_id",)))
CHUNKS: Final = Table("chunks", Chunk, (("upload_id", "index"),))
ASSETS: Final = Table("assets", Asset, (("owner", "deleted_at", "created_at"), ("owner", "sha256"), ("state",)))
JOBS: Final = Table("jobs", Job, (("asset_id",), ("state",)))
TASKS: Final = Table(
    "tasks",
    Task,
    (("state", "ready", "stage", "-priority", "created_at"), ("job_id",), ("state", "lease_until")),
)
LOGIN_CODES: Final = Table("login_codes", LoginCode, (("expires_at",),))
BLOBS: Final = Table("blobs", Blob, (("state",),))
API_KEYS: Final = Table("api_keys", ApiKey, (("owner", "created_at"),))
AUDIT: Final = Table("audit", AuditEntry, (("at",), ("user", "at"), ("asset_id", "at")))
ANSWERS: Final = Table("answers", Answer, (("expires_at",),))
TABLES: Final = (UPLOADS, CHUNKS, ASSETS, JOBS, TASKS, LOGIN_CODES, BLOBS, API_KEYS, AUDIT, ANSWERS)

_TYPES: Final[dict[Kind, str]] = {
    "text": "TEXT",
    "integer": "INTEGER",
    "number": "REAL",
    "flag": "INTEGER",
    "object": "TEXT",
    "list": "TEXT",
}


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make what is missing in the file, in one transaction. ConfigurationError when a newer mediaflow wrote it."""
    if _is_current(connection, path):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # asked again: another process may have been faster
        if not _is_current(connection, path):
            for table in TABLES:
                for statement in _statements(connection, table):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        # a full disk has rolled back already
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def dumped(value: Any) -> str:
    """JSON text as it is kept. Short, and NaN is an error."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def quoted(name: str) -> str:
    """A name that came from a dataclass, as SQL (`index` is a keyword)."""
    return f'"{name}"'


def _is_current(connection: sqlite3.Connection, path: Path) -> bool:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise ConfigurationError(
            f"{path} was written by a newer mediaflow (schema {version}, this one knows {SCHEMA_VERSION}): install that"
            " version again, or restore the backup that was made before it"
        )
    return version == SCHEMA_VERSION and not any(
        statement for table in TABLES for statement in _statements(connection, table)
    )


def _statements(connection: sqlite3.Connection, table: Table) -> Iterator[str]:
    """The statements that bring the table up to date; none when it is."""
    columns = {row[1] for row in connection.execute(f"PRAGMA table_info({quoted(table.name)})")}
    fields = fields_of(table.record).values()
    if not columns:
        yield f"CREATE TABLE {quoted(table.name)} ({', '.join(map(_column, fields))}) STRICT"
    else:
        missing = [field for field in fields if field.name not in columns]
        yield from (f"ALTER TABLE {quoted(table.name)} ADD COLUMN {_column(field)}" for field in missing)
    present = {row[1] for row in connection.execute(f"PRAGMA index_list({quoted(table.name)})")}
    for index in table.indexes:
        name = "_".join((table.name, *(key.removeprefix("-") for key in index)))
        if name not in present:
            yield f"CREATE INDEX {quoted(name)} ON {quoted(table.name)} ({', '.join(map(_key, index))})"


def _column(field: Field) -> str:
    parts = [quoted(field.name), _TYPES[field.kind]]
    if field.name == "id":
        parts.append("PRIMARY KEY")
    if not field.nullable:
        parts.append("NOT NULL")
        if field.default is not None:
            parts.append(f"DEFAULT {_literal(field)}")
    return " ".join(parts)


def _key(key: str) -> str:
    return f"{quoted(key.removeprefix('-'))} {'DESC' if key.startswith('-') else 'ASC'}"


def _literal(field: Field) -> str:
    value = field.default()
    match field.kind:
        case "object" | "list":
            value = dumped(value)
        case "flag":
            value = int(value)
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
