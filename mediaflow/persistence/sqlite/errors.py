"""SQLite's errors as ours. A mistake in a statement stays as it is: no retry can help, and nobody may hide it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mediaflow.domain.errors import ConfigurationError, MediaflowError, Unavailable

CODE: Final = "database.unavailable"

_UNAVAILABLE: Final[dict[int, str]] = {
    sqlite3.SQLITE_BUSY: "another process holds its lock for too long",
    sqlite3.SQLITE_LOCKED: "another connection holds its lock for too long",
    sqlite3.SQLITE_PROTOCOL: "another process holds its lock for too long",
    sqlite3.SQLITE_CANTOPEN: "it can't be opened; check the directory, its permissions and the limit of open files",
    sqlite3.SQLITE_PERM: "it can't be opened; check its permissions",
    sqlite3.SQLITE_READONLY: "it can't be written; check its permissions and those of its directory",
    sqlite3.SQLITE_FULL: "the disk is full; free some space",
    sqlite3.SQLITE_IOERR: "the disk reports an error; check the system's log",
    sqlite3.SQLITE_NOMEM: "there is no memory left for it",
    sqlite3.SQLITE_CORRUPT: "it is damaged; stop the service and restore the file from a backup",
}
_PRIMARY_CODE: Final = 0xFF
"""Extended result codes keep the primary one in the low byte (https://www.sqlite.org/rescode.html)."""


def is_busy(error: sqlite3.Error) -> bool:
    """True when trying again can help at once."""
    return _code(error) == sqlite3.SQLITE_BUSY


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Errors of SQLite about the file at `path` become `Unavailable` or `ConfigurationError`."""
    try:
        yield
    except sqlite3.Error as error:
        ours = _translation(path, error)
        if ours is None:
            raise
        raise ours from error


def _translation(path: Path, error: sqlite3.Error) -> MediaflowError | None:
    code = _code(error)
    if code == sqlite3.SQLITE_NOTADB:
        return ConfigurationError(f"{path} is no SQLite database; name another file, or move this one away")
    reason = _UNAVAILABLE.get(code)
    return Unavailable(f"the database {path} is not available: {reason} ({error})", code=CODE) if reason else None


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & _PRIMARY_CODE
