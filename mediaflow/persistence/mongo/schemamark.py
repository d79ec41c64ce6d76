"""Which schema the documents of a MongoDB are written with: a mark in it, for processes of two versions.

It stays where it is while an older version can read what this one writes, until `mediaflow migrate` raises it.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Final

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from mediaflow.domain.errors import ConfigurationError, Unavailable
from mediaflow.domain.older import WRITTEN_BESIDE, changes_since
from mediaflow.domain.records import SCHEMA_VERSION
from mediaflow.persistence.fields import checked_database, fields_of
from mediaflow.persistence.tables import TABLES

COLLECTION: Final = "meta"
ID: Final = "schema"
LOOK_SECONDS: Final = 5.0
"""So long after the mark was raised, other processes may go on as before: what they write can be read."""
# as SQLite's notice
_log = logging.getLogger(__name__)


class SchemaMark:
    """The mark of one database as this process knows it; `where` names the database. 0: it was not looked at yet."""

    def __init__(self, where: str) -> None:
        self.version = 0
        self._where = where
        self._look_at = 0.0

    def look(self, database: Database[dict[str, Any]]) -> None:
        """Know the mark, made when there is none, as it was some seconds ago at most.

        ConfigurationError when a newer mediaflow has raised it; Unavailable when that was while this process ran.
        """
        if self.version and time.monotonic() < self._look_at:
            return
        found = database[COLLECTION].find_one({"_id": ID}) or _made(database)
        version = found["version"]
        try:
            checked_database(f"The database {self._where}", version)
        except ConfigurationError as error:
            if not self.version:
                raise
            raise Unavailable(error.detail, code="database.newer") from error
        if found["told"] < SCHEMA_VERSION:
            self._tell(database, version)
        if version < WRITTEN_BESIDE:
            version = raised(database)
        self.version, self._look_at = version, time.monotonic() + LOOK_SECONDS

    def raise_it(self, database: Database[dict[str, Any]]) -> None:
        """From now on documents are of the newest schema, which older versions refuse."""
        self.version = raised(database)

    def _tell(self, database: Database[dict[str, Any]], version: int) -> None:
        """Say what happens to a database of an older version: once, by whoever notes it first."""
        older = {"_id": ID, "told": {"$lt": SCHEMA_VERSION}}
        if database[COLLECTION].update_one(older, {"$set": {"told": SCHEMA_VERSION}}).modified_count == 0:
            return
        if version < WRITTEN_BESIDE:
            _log.warning(
                "The database %s is brought from schema %d to %d, which older versions of mediaflow can't read: %s."
                " Stop those that run. The only way back is a dump that was made before.",
                *(self._where, version, SCHEMA_VERSION, changes_since(version)),
            )
        else:
            _log.warning(
                "The database %s is of schema %d, and versions of mediaflow that know no newer one may run beside this"
                " one until `mediaflow migrate` brings it to schema %d: %s. The only way back after that is a dump that"
                " was made before.",
                *(self._where, version, SCHEMA_VERSION, changes_since(version)),
            )


def raised(database: Database[dict[str, Any]]) -> int:
    """Raise the mark unless it is there already; the newest schema."""
    older = {"_id": ID, "version": {"$lt": SCHEMA_VERSION}}
    database[COLLECTION].update_one(older, {"$set": {"version": SCHEMA_VERSION}})
    return SCHEMA_VERSION


def _made(database: Database[dict[str, Any]]) -> dict[str, Any]:
    """The mark of a database that has none: versions before schema 4 kept none."""
    version = _newest(database)
    mark = {"_id": ID, "version": version, "told": version}
    try:
        database[COLLECTION].insert_one(mark)
    except DuplicateKeyError:  # another process was faster
        return database[COLLECTION].find_one({"_id": ID}) or mark
    return mark


def _newest(database: Database[dict[str, Any]]) -> int:
    """The schema that the newest documents were written with; this version's in an empty database."""
    found: list[int] = []
    for table in TABLES:
        for time_of in {"created_at", "at"} & fields_of(table.record).keys():
            newest = database[table.name].find({}, {"schema": 1}).sort([(time_of, -1)]).limit(1)
            found += [document["schema"] for document in newest if "schema" in document]
    return max(found, default=SCHEMA_VERSION)
