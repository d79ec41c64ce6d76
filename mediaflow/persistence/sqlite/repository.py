"""A repository over one table. Each operation is one statement, so it is atomic and durable when it returns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from mediaflow.persistence.fields import (
    JSON,
    Condition,
    Field,
    checked_changes,
    checked_conditions,
    checked_sort,
    fields_of,
    known_fields,
    numeric_field,
)
from mediaflow.persistence.sqlite.connections import Connections
from mediaflow.persistence.sqlite.schema import Table, dumped, quoted
from mediaflow.services.ports import Below, Between, Contains, HasPrefixes, OneOf

R = TypeVar("R")


class SqliteRepository(Generic[R]):
    """Implements `mediaflow.services.ports.Repository`. Names in SQL come from the dataclass, values are bound."""

    def __init__(self, connections: Connections, table: Table, record: type[R]) -> None:
        self._connections = connections
        self._record = record
        self._fields = fields_of(record)
        self._table = quoted(table.name)
        self._columns = ", ".join(quoted(name) for name in self._fields)

    def insert(self, record: R) -> bool:
        values = [_kept(field, field.checked(getattr(record, name))) for name, field in self._fields.items()]
        marks = ", ".join("?" for _ in values)
        sql = f"INSERT INTO {self._table} ({self._columns}) VALUES ({marks}) ON CONFLICT (id) DO NOTHING"  # noqa: S608
        return self._written(sql, values) == 1

    def get(self, record_id: str) -> R | None:
        found = self._selected(f"SELECT {self._columns} FROM {self._table} WHERE id = ?", [record_id])  # noqa: S608
        return found[0] if found else None

    def peek(self, record_id: str, fields: Sequence[str]) -> dict[str, Any] | None:
        wanted = known_fields(self._fields, fields)
        columns = ", ".join(quoted(field.name) for field in wanted)
        with self._connections.reading() as connection:
            row = connection.execute(f"SELECT {columns} FROM {self._table} WHERE id = ?", [record_id]).fetchone()  # noqa: S608
        return None if row is None else {f.name: _read(f, value) for f, value in zip(wanted, row, strict=True)}

    def change(self, record_id: str, expect: Mapping[str, Any], changes: Mapping[str, Any]) -> R | None:
        assigned, added = checked_changes(self._fields, changes)
        parts = [f"{quoted(field.name)} = ?" for field, _ in assigned]
        parts += [f"{quoted(field.name)} = {quoted(field.name)} + ?" for field, _ in added]
        where, values = self._where(expect, record_id)
        sql = f"UPDATE {self._table} SET {', '.join([*parts, 'rev = rev + 1'])}{where} RETURNING {self._columns}"  # noqa: S608
        bound = [*(_kept(field, value) for field, value in assigned), *(amount for _, amount in added), *values]
        with self._connections.writing() as connection:
            # all rows are fetched: the statement commits when it ends
            rows = connection.execute(sql, bound).fetchall()
        return self._loaded(rows[0]) if rows else None

    def find(
        self, where: Mapping[str, Any], *, sort: Sequence[str] = ("id",), skip: int = 0, limit: int | None = None
    ) -> list[R]:
        conditions, values = self._where(where)
        keys = checked_sort(self._fields, sort)
        order = ", ".join(f"{quoted(field.name)} {'DESC' if descends else 'ASC'}" for field, descends in keys)
        sorting = f" ORDER BY {order}" if keys else ""
        sql = f"SELECT {self._columns} FROM {self._table}{conditions}{sorting} LIMIT ? OFFSET ?"  # noqa: S608
        return self._selected(sql, [*values, -1 if limit is None else limit, skip])

    def count(self, where: Mapping[str, Any]) -> int:
        conditions, values = self._where(where)
        with self._connections.reading() as connection:
            sql = f"SELECT count(*) FROM {self._table}{conditions}"  # noqa: S608
            return int(connection.execute(sql, values).fetchone()[0])

    def total(self, field: str, where: Mapping[str, Any]) -> float:
        column = quoted(numeric_field(self._fields, field).name)
        conditions, values = self._where(where)
        with self._connections.reading() as connection:
            sql = f"SELECT total({column}) FROM {self._table}{conditions}"  # noqa: S608
            return float(connection.execute(sql, values).fetchone()[0])

    def remove(self, record_id: str, expect: Mapping[str, Any] = {}) -> bool:
        where, values = self._where(expect, record_id)
        return self._written(f"DELETE FROM {self._table}{where}", values) == 1  # noqa: S608

    def _written(self, sql: str, values: Sequence[Any]) -> int:
        with self._connections.writing() as connection:
            return connection.execute(sql, values).rowcount

    def _selected(self, sql: str, values: Sequence[Any]) -> list[R]:
        with self._connections.reading() as connection:
            rows = connection.execute(sql, values).fetchall()
        return [self._loaded(row) for row in rows]

    def _loaded(self, row: Sequence[Any]) -> R:
        pairs = zip(self._fields.items(), row, strict=True)
        return self._record(**{name: _read(field, value) for (name, field), value in pairs})

    def _where(self, where: Mapping[str, Any], record_id: str | None = None) -> tuple[str, list[Any]]:
        parts: list[str] = []
        bound: list[Any] = []
        if record_id is not None:
            parts.append("id = ?")
            bound.append(record_id)
        for field, condition in checked_conditions(self._fields, where):
            part, values = _condition(field, condition)
            parts.append(part)
            bound += values
        return (f" WHERE {' AND '.join(parts)}" if parts else ""), bound


def _condition(field: Field, condition: Condition) -> tuple[str, list[Any]]:
    column = quoted(field.name)
    match condition:
        case Below(limit):
            return f"{column} < ?", [limit]
        case Between(least, below):
            parts = [f"{column} IS NOT NULL"]
            parts += [f"{column} >= ?"] if least is not None else []
            parts += [f"{column} < ?"] if below is not None else []
            return f"({' AND '.join(parts)})", [bound for bound in (least, below) if bound is not None]
        case HasPrefixes(prefixes):
            one = f"EXISTS (SELECT 1 FROM json_each({column}) WHERE substr(json_each.value, 1, ?) = ?)"  # noqa: S608
            bound = [each for prefix in prefixes for each in (len(prefix), prefix)]
            return " AND ".join([one] * len(prefixes)) or "TRUE", bound
        case Contains(element):
            return f"EXISTS (SELECT 1 FROM json_each({column}) WHERE json_each.value = ?)", [element]  # noqa: S608
        case OneOf(values):
            return _one_of(column, values)


def _one_of(column: str, values: tuple[Any, ...]) -> tuple[str, list[Any]]:
    present = [value for value in values if value is not None]
    if len(present) == len(values) == 1:
        return f"{column} = ?", present
    if values and not present:
        return f"{column} IS NULL", []
    among = f"{column} IN ({', '.join('?' for _ in present)})"  # SQLite allows an empty list: nothing is in it
    return (among if len(present) == len(values) else f"({among} OR {column} IS NULL)"), present


def _kept(field: Field, value: Any) -> Any:
    return dumped(value) if field.kind in JSON and value is not None else value


def _read(field: Field, value: Any) -> Any:
    if value is None:
        return None
    match field.kind:
        case "object" | "list":
            return json.loads(value)
        case "flag":
            return bool(value)
        case "number":
            return float(value)  # RETURNING gives 0 for a REAL 0.0 (SQLite 3.40)
        case _:
            return value
