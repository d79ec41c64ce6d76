"""A file's tables are made, and brought up to date, when it is opened.

A field that was added with a default is added to older files by itself, indexes come and go as `tables.py` names them.
A change of any other kind raises `SCHEMA_VERSION`, which the file keeps in `user_version`.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mediaflow.domain.errors import ConfigurationError
from mediaflow.domain.older import changes_since
from mediaflow.domain.records import SCHEMA_VERSION
from mediaflow.persistence.fields import checked_database, fields_of
from mediaflow.persistence.sqlite.columns import column
from mediaflow.persistence.sqlite.sides import offer_functions, side_statements
from mediaflow.persistence.sqlite.sql import index_key, quoted
from mediaflow.persistence.tables import TABLES, Table

# not structlog's, which without any configuration (`mediaflow up`, `doctor`) would print to stdout, where answers go
_log = logging.getLogger(__name__)
_UPGRADE_MS: Final = 600_000
"""So long a process waits for another that brings the file up to date: 100,000 assets take about a minute."""
_NO_FTS5: Final = (
    "the SQLite that this Python uses has no FTS5, which the search needs; install one that has (Debian's libsqlite3-0"
    " does), or set MEDIAFLOW_DATABASE_URL to a MongoDB"
)


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make what is missing in the file, in one transaction. ConfigurationError when a newer mediaflow wrote it."""
    if _is_current(connection, path):
        return
    (usual,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute(f"PRAGMA busy_timeout = {_UPGRADE_MS}")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"PRAGMA busy_timeout = {usual}")
    try:
        # asked again: another process may have been faster
        if not _is_current(connection, path):
            _tell(connection, path)
            offer_functions(connection)
            for table in TABLES:
                for statement in _statements(connection, table):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException as error:
        # a full disk has rolled back already
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if "no such module: fts5" in str(error):
            raise ConfigurationError(_NO_FTS5) from error
        raise


def _is_current(connection: sqlite3.Connection, path: Path) -> bool:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    checked_database(path, version)
    return version == SCHEMA_VERSION and not any(
        statement for table in TABLES for statement in _statements(connection, table)
    )


def _tell(connection: sqlite3.Connection, path: Path) -> None:
    """Say what happens to a file of an older version: once, since whoever has the lock does it for everybody."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not 0 < version < SCHEMA_VERSION:
        return  # a new file, or one that only gets columns and indexes
    _log.warning(
        "The database %s is brought from schema %d to %d, which older versions of mediaflow can't open: %s. The only"
        " way back is a copy of %s that was made before, while nothing ran.",
        *(path, version, SCHEMA_VERSION, changes_since(version), path.parent),
    )


def _statements(connection: sqlite3.Connection, table: Table) -> Iterator[str]:
    """The statements that bring the table up to date; none when it is."""
    columns = {row[1] for row in connection.execute(f"PRAGMA table_info({quoted(table.name)})")}
    fields = fields_of(table.record).values()
    if not columns:
        yield f"CREATE TABLE {quoted(table.name)} ({', '.join(map(column, fields))}) STRICT"
    else:
        missing = [field for field in fields if field.name not in columns]
        yield from (f"ALTER TABLE {quoted(table.name)} ADD COLUMN {column(field)}" for field in missing)
    yield from _indexes(connection, table.name, table.indexes_of(brief=False))
    yield from side_statements(connection, table)
    if table.brief:
        yield from _indexes(connection, table.brief_name, table.indexes_of(brief=True))


def _indexes(connection: sqlite3.Connection, table: str, wanted: dict[str, tuple[str, ...]]) -> Iterator[str]:
    """Those that are missing, after those that are wanted no more."""
    present = {row[1] for row in connection.execute(f"PRAGMA index_list({quoted(table)})") if row[3] == "c"}
    yield from (f"DROP INDEX {quoted(name)}" for name in sorted(present - wanted.keys()))
    for name, index in wanted.items():
        if name not in present:
            yield f"CREATE INDEX {quoted(name)} ON {quoted(table)} ({', '.join(map(index_key, index))})"
