"""Databases as older versions really wrote them, and the same documents in a MongoDB."""

from __future__ import annotations

import gzip
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient

from mediaflow.persistence.fields import JSON, fields_of
from mediaflow.persistence.tables import TABLES

DOCUMENTS: Final = Path(__file__).parents[1] / "data" / "documents"


def unpack(name: str, file: Path) -> None:
    """Write the database of that name there."""
    file.write_bytes(gzip.decompress((DOCUMENTS / f"{name}.sqlite3.gz").read_bytes()))


def copy_to_mongo(file: Path, url: str) -> None:
    """The same documents as MongoDB kept them: with the fields that there were."""
    client: MongoClient[dict[str, Any]] = MongoClient(url)
    with closing(sqlite3.connect(file)) as connection:
        connection.row_factory = sqlite3.Row
        there = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        for table in (table for table in TABLES if table.name in there):
            kinds = {name: field.kind for name, field in fields_of(table.record).items()}
            for row in connection.execute(f"SELECT * FROM {table.name}"):
                document = {name: kept(kinds.get(name, "text"), row[name]) for name in row.keys() if name != "id"}  # noqa: SIM118
                client.get_default_database()[table.name].insert_one({"_id": row["id"]} | document)
    client.close()


def kept(kind: str, value: Any) -> Any:
    if value is None:
        return None
    return json.loads(value) if kind in JSON else bool(value) if kind == "flag" else value
