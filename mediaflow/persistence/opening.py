"""Which database a URL means."""

from __future__ import annotations

from pathlib import Path

from mediaflow.domain.errors import ConfigurationError
from mediaflow.persistence.sqlite import SqliteDatabase
from mediaflow.services.ports import Database


def open_database(url: str) -> Database:
    """The database of `sqlite:PATH` (absolute, or relative to the current directory), `mongodb://` or `mongodb+srv://`.

    Nothing is connected yet: a database that is down shows at the first operation. ConfigurationError for other URLs.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "sqlite":
        return SqliteDatabase(_path(url, rest))
    if scheme in ("mongodb", "mongodb+srv"):
        # here, because it costs 0.3 s and 25 MB, which the embedded default need not pay
        from mediaflow.persistence.mongo import MongoDatabase

        return MongoDatabase(url)
    raise ConfigurationError(
        f"MEDIAFLOW_DATABASE_URL: {_without_password(url)!r} is no database;"
        " write sqlite:PATH or mongodb://host:27017/mediaflow"
    )


def _path(url: str, rest: str) -> Path:
    """The file. `sqlite:///path` is absolute too, as other tools write it; `sqlite://name` could mean two things."""
    if not rest or rest.startswith(":") or (rest.startswith("//") and not rest.startswith("///")):
        raise ConfigurationError(
            f"MEDIAFLOW_DATABASE_URL: {url!r} names no file; write sqlite:PATH, such as sqlite:data/mediaflow.sqlite3"
        )
    return Path(rest)


def _without_password(url: str) -> str:
    """The URL without what stands before the `@`."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else url
