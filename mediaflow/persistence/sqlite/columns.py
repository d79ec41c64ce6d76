"""Columns of SQLite for the fields of records."""

from __future__ import annotations

from typing import Final

from mediaflow.persistence.fields import Field, Kind
from mediaflow.persistence.sqlite.sql import dumped, quoted

_TYPES: Final[dict[Kind, str]] = {
    "text": "TEXT",
    "integer": "INTEGER",
    "number": "REAL",
    "flag": "INTEGER",
    "object": "TEXT",
    "list": "TEXT",
}


def column(field: Field) -> str:
    """The column's definition."""
    parts = [quoted(field.name), _TYPES[field.kind]]
    if field.name == "id":
        parts.append("PRIMARY KEY")
    if not field.nullable:
        parts.append("NOT NULL")
        if field.default is not None:
            parts.append(f"DEFAULT {_literal(field)}")
    return " ".join(parts)


def _literal(field: Field) -> str:
    value = field.default()
    match field.kind:
        case "object" | "list":
            value = dumped(value)
        case "flag":
            value = int(value)
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
