"""All repositories over one SQLite file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from mediaflow.domain.credentials import ApiKey, LoginCode
from mediaflow.domain.errors import ConfigurationError, Unavailable
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
from mediaflow.persistence import tables
from mediaflow.persistence.sqlite.connections import Connections
from mediaflow.persistence.sqlite.errors import CODE
from mediaflow.persistence.sqlite.repository import SqliteRepository


class SqliteDatabase:
    """Implements `mediaflow.services.ports.Database`. Nothing is opened before the first operation.

    The file is made when it is missing, its directory is not: a mistyped path must not begin an empty library.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        if not self._path.parent.is_dir():
            raise ConfigurationError(
                f"MEDIAFLOW_DATABASE_URL: there is no directory {self._path.parent} for the database"
                f" {self._path.name}; make it, or name another path"
            )
        if self._path.is_dir():
            raise ConfigurationError(
                f"MEDIAFLOW_DATABASE_URL: {self._path} is a directory; name a file in it, such as"
                f" sqlite:{self._path / 'mediaflow.sqlite3'}"
            )
        self._connections = Connections(self._path)
        self.uploads = SqliteRepository(self._connections, tables.UPLOADS, Upload)
        self.chunks = SqliteRepository(self._connections, tables.CHUNKS, Chunk)
        self.assets = SqliteRepository(self._connections, tables.ASSETS, Asset)
        self.jobs = SqliteRepository(self._connections, tables.JOBS, Job)
        self.tasks = SqliteRepository(self._connections, tables.TASKS, Task)
        self.login_codes = SqliteRepository(self._connections, tables.LOGIN_CODES, LoginCode)
        self.blobs = SqliteRepository(self._connections, tables.BLOBS, Blob)
        self.api_keys = SqliteRepository(self._connections, tables.API_KEYS, ApiKey)
        self.audit = SqliteRepository(self._connections, tables.AUDIT, AuditEntry)
        self.answers = SqliteRepository(self._connections, tables.ANSWERS, Answer)
        self.queue = SqliteRepository(self._connections, tables.QUEUE, QueueState)
        self.events = SqliteRepository(self._connections, tables.EVENTS, LoggedEvent)
        self.tombstones = SqliteRepository(self._connections, tables.TOMBSTONES, Tombstone)
        self.turns = SqliteRepository(self._connections, tables.TURNS, Turn)
        self.plugin_records = SqliteRepository(self._connections, tables.PLUGIN_RECORDS, PluginRecord)
        self.leftovers = SqliteRepository(self._connections, tables.LEFTOVERS, Leftover)
        self.segments = SqliteRepository(self._connections, tables.SEGMENTS, MadeSegment)
        self.transfers = SqliteRepository(self._connections, tables.TRANSFERS, Transfer)
        self.imports = SqliteRepository(self._connections, tables.IMPORTS, Import)
        self.source_files = SqliteRepository(self._connections, tables.SOURCE_FILES, SourceFile)

    def now(self) -> float:
        """SQLite's own time, to the millisecond (2440587.5 is the Julian day of the epoch)."""
        with self._connections.reading() as connection:
            row = connection.execute("SELECT round((julianday('now') - 2440587.5) * 86400.0, 3)").fetchone()
        return float(row[0])

    def ping(self) -> None:
        """Opens the file, and so checks its schema too."""
        with self._connections.reading() as connection:
            connection.execute("SELECT 1 FROM uploads LIMIT 1").fetchall()

    def copy_to(self, path: Path) -> None:
        """By SQLite's online backup, in one read transaction: nobody who writes waits, and none of it is half there."""
        with self._connections.reading() as connection:
            try:
                with closing(sqlite3.connect(path)) as target:
                    connection.backup(target)
                    # one file, whoever opens it next
                    target.execute("PRAGMA journal_mode = DELETE")
            except sqlite3.Error as error:
                raise Unavailable(f"the documents can't be copied to {path} ({error})", code=CODE) from error

    def close(self) -> None:
        self._connections.close()
