"""Connections: one for each thread, none open during a fork, all closed by `close` whoever uses them."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mediaflow.domain.errors import Unavailable
from mediaflow.persistence.forks import watch_forks
from mediaflow.persistence.sqlite.errors import CODE, is_busy, translated
from mediaflow.persistence.sqlite.schema import prepare

BUSY_SECONDS: Final = 8.0
"""How long an operation waits for others' writes; one takes a few milliseconds. A process that stands still in one (it
is stopped, or its disk hangs) holds up everybody: they say so within this time, all threads together.
"""
PRIVATE: Final = 0o600
BESIDE: Final = ("-wal", "-shm")
_STATEMENTS_KEPT: Final = 256
_MAPPED_BYTES: Final = 1 << 30
"""Long listings read from the system's cache of the file, which all threads share: each connection's own starts empty
after a write of another.
"""
_CACHE_KIB: Final = 16_384
"""What is sorted within this is not written to a temporary file. It is taken when it is needed."""


class _Slot:
    """One thread's connection. Its lock is held during each operation, so that others can close it between two."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connection: sqlite3.Connection | None = None

    def close(self) -> None:
        """The caller holds the lock, or is the only one who knows the slot."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    def __del__(self) -> None:
        """The thread has ended: a thread's slot is referred to by the thread only."""
        self.close()


class Connections:
    """All connections of this process to one file. They are opened when they are needed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._slots: weakref.WeakSet[_Slot] = weakref.WeakSet()
        self._held: list[_Slot] = []
        self._gate = threading.Lock()
        self._write_lock = threading.Lock()
        self._gave_up_at = float("-inf")
        self._prepared = False
        self._closed = False
        watch_forks(self)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection of the calling thread, for one statement that reads."""
        slot = self._slot()
        with slot.lock, translated(self._path):
            yield self._connection(slot)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The connection of the calling thread, for one statement that writes.

        Threads of a process queue at a lock of ours: SQLite's own lock is polled with growing pauses, and unfair.
        """
        slot, until = self._slot(), time.monotonic() + BUSY_SECONDS
        with slot.lock, translated(self._path):
            connection = self._connection(slot)
            if not self._write_lock.acquire(timeout=BUSY_SECONDS):
                raise self._held_up()
            try:
                # the thread before us gave up at about this moment: we have waited as long for the same
                if until - time.monotonic() < BUSY_SECONDS / 2 and self._gave_up_at > until - BUSY_SECONDS:
                    raise self._held_up()
                yield connection
            except sqlite3.OperationalError as error:
                if is_busy(error):
                    self._gave_up_at = time.monotonic()
                raise
            finally:
                self._write_lock.release()

    def close(self) -> None:
        """Close every thread's connection, each after the operation that it is busy with."""
        with self._gate:
            self._closed = True
            for slot in list(self._slots):
                with slot.lock:
                    slot.close()

    def before_fork(self) -> None:
        """Close everything and let nobody begin; connections are opened again when they are needed, on both sides."""
        self._gate.acquire()
        self._held = list(self._slots)
        for slot in self._held:
            slot.lock.acquire()
            slot.close()

    def after_fork_in_parent(self) -> None:
        for slot in self._held:
            slot.lock.release()
        self._held = []
        self._gate.release()

    after_fork_in_child = after_fork_in_parent

    def _slot(self) -> _Slot:
        slot: _Slot | None = getattr(self._local, "slot", None)
        if slot is None:
            slot = _Slot()
            with self._gate:
                self._slots.add(slot)
            self._local.slot = slot
        return slot

    def _held_up(self) -> Unavailable:
        return Unavailable(f"the database {self._path} is not available: a write of others holds it up", code=CODE)

    def _connection(self, slot: _Slot) -> sqlite3.Connection:
        if slot.connection is None:
            if self._closed:
                raise Unavailable(f"the database {self._path} was closed", code=CODE)
            slot.connection = self._opened()
        return slot.connection

    def _opened(self) -> sqlite3.Connection:
        if not self._prepared:
            _keep_private(self._path)
        connection = sqlite3.connect(
            self._path,
            timeout=BUSY_SECONDS,
            isolation_level=None,  # no hidden BEGIN: a statement is its own transaction
            check_same_thread=False,  # `close` may come from any thread; the slot's lock orders them
            cached_statements=_STATEMENTS_KEPT,
        )
        try:
            _use_write_ahead_log(connection)
            # in WAL mode only FULL flushes the log at each commit: what was acknowledged survives a power cut
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            if not self._prepared:
                prepare(connection, self._path)
                self._prepared = True
        except BaseException:
            connection.close()
            raise
        return connection


def _keep_private(path: Path) -> None:
    """Make a new file readable by its owner only, and one of ours that others can read as well.

    SQLite gives its log and its shared memory the file's mode. The file is never opened here when it is there already:
    closing any descriptor of it would end every lock that this process holds on it (sqlite.org/howtocorrupt.html, 2.2).
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE))
    except FileExistsError:
        for name in (path, *(path.with_name(path.name + suffix) for suffix in BESIDE)):
            with contextlib.suppress(FileNotFoundError):
                found = name.stat()
                if found.st_uid == os.geteuid() and found.st_mode & 0o077:
                    name.chmod(PRIVATE)
    except OSError:
        return  # what is wrong with its directory is said by SQLite, in the next moment


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """In WAL mode readers and the writer don't wait for each other.

    SQLite waits for no lock while it changes to this mode (seen when several processes open a new file at once): we do.
    """
    give_up_at = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)
        else:
            return
