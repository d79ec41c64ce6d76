"""All repositories over one MongoDB database."""

from __future__ import annotations

import time

from pymongo import MongoClient

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
from mediaflow.persistence import tables
from mediaflow.persistence.mongo.client import ClientClass, MongoConnection
from mediaflow.persistence.mongo.repository import MongoRepository


class MongoDatabase:
    """Implements `mediaflow.services.ports.Database`. Nothing is connected before the first operation.

    `mongo_client_class` is for tests: `mongomock.MongoClient` keeps everything in memory, for this object alone.
    """

    def __init__(self, url: str, *, mongo_client_class: ClientClass = MongoClient) -> None:
        self._connection = MongoConnection(url, mongo_client_class)
        self.uploads = MongoRepository(self._connection, tables.UPLOADS, Upload)
        self.chunks = MongoRepository(self._connection, tables.CHUNKS, Chunk)
        self.assets = MongoRepository(self._connection, tables.ASSETS, Asset)
        self.jobs = MongoRepository(self._connection, tables.JOBS, Job)
        self.tasks = MongoRepository(self._connection, tables.TASKS, Task)
        self.login_codes = MongoRepository(self._connection, tables.LOGIN_CODES, LoginCode)
        self.blobs = MongoRepository(self._connection, tables.BLOBS, Blob)
        self.api_keys = MongoRepository(self._connection, tables.API_KEYS, ApiKey)
        self.audit = MongoRepository(self._connection, tables.AUDIT, AuditEntry)
        self.answers = MongoRepository(self._connection, tables.ANSWERS, Answer)
        self.queue = MongoRepository(self._connection, tables.QUEUE, QueueState)
        self.events = MongoRepository(self._connection, tables.EVENTS, LoggedEvent)
        self.tombstones = MongoRepository(self._connection, tables.TOMBSTONES, Tombstone)
        self.turns = MongoRepository(self._connection, tables.TURNS, Turn)
        self.plugin_records = MongoRepository(self._connection, tables.PLUGIN_RECORDS, PluginRecord)
        self.leftovers = MongoRepository(self._connection, tables.LEFTOVERS, Leftover)
        self.segments = MongoRepository(self._connection, tables.SEGMENTS, MadeSegment)
        self.transfers = MongoRepository(self._connection, tables.TRANSFERS, Transfer)
        self.imports = MongoRepository(self._connection, tables.IMPORTS, Import)
        self.source_files = MongoRepository(self._connection, tables.SOURCE_FILES, SourceFile)

    def now(self) -> float:
        """The server's time (`hello`), to the millisecond: `$$NOW` fails on mongomock and nx-27017."""
        with self._connection.database() as database:
            try:
                return float(database.command("hello")["localTime"].timestamp())
            except NotImplementedError:
                # mongomock knows no `hello`; it lives in this process, so this clock is its clock
                return time.time()

    def ping(self) -> None:
        with self._connection.database() as database:
            database.command("ping")

    def raise_schema(self) -> None:
        self._connection.raise_schema()

    def close(self) -> None:
        self._connection.close()
