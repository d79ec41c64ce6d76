"""The documents in one SQLite file: the embedded default, for any number of threads and processes of one machine."""

from mediaflow.persistence.sqlite.database import SqliteDatabase

__all__ = ["SqliteDatabase"]
