"""A repository over one table. Each operation is one statement, so it is atomic and durable when it returns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

from mediaflow.persistence.fields import (
    JSON,
    Changes,
    Field,
    checked_changes,
    checked_conditions,
    checked_schema,
    checked_sort,
    fields_of,
    known_fields,
    numeric_field,
    text_field,
)
from mediaflow.persistence.sqlite.connections import Connections
from mediaflow.persistence.sqlite.selection import FREQUENT, Selection, as_sql, beside, in_table
from mediaflow.persistence.sqlite.sql import dumped, listed, ordered, quoted
from mediaflow.persistence.tables import Table
from mediaflow.services.ports import Sum

R = TypeVar("R")
MOST_ROWS: Final = 200
"""Of one statement: it binds 32,766 values at most (sqlite.org/limits.html), and holds the lock meanwhile."""


class SqliteRepository(Generic[R]):
    """Implements `mediaflow.services.ports.Repository`. Names in SQL come from the dataclass, values are bound."""

    def __init__(self, connections: Connections, table: Table, record: type[R]) -> None:
        self._connections = connections
        self._record = record
        self._fields = fields_of(record)
        self._sides = table
        self._table = quoted(table.name)
        self._columns = listed(self._fields)

    def insert(self, record: R) -> bool:
        return self._inserted([record]) == 1

    def insert_all(self, records: Sequence[R]) -> None:
        for first in range(0, len(records), MOST_ROWS):
            self._inserted(records[first : first + MOST_ROWS])

    def _inserted(self, records: Sequence[R]) -> int:
        values = [_kept(f, f.checked(getattr(record, name))) for record in records for name, f in self._fields.items()]
        row = f"({', '.join('?' for _ in self._fields)})"
        rows = ", ".join(row for _ in records)
        sql = f"INSERT INTO {self._table} ({self._columns}) VALUES {rows} ON CONFLICT (id) DO NOTHING"  # noqa: S608
        return self._written(sql, values)

    def get(self, record_id: str) -> R | None:
        found = self._selected(f"SELECT {self._columns} FROM {self._table} WHERE id = ?", [record_id])  # noqa: S608
        return found[0] if found else None

    def peek(self, record_id: str, fields: Sequence[str]) -> dict[str, Any] | None:
        wanted = known_fields(self._fields, [*fields, "schema"])
        columns = listed(field.name for field in wanted)
        with self._connections.reading() as connection:
            row = connection.execute(f"SELECT {columns} FROM {self._table} WHERE id = ?", [record_id]).fetchone()  # noqa: S608
        if row is None:
            return None
        checked_schema(record_id, row[-1])
        return {f.name: _read(f, value) for f, value in zip(wanted, row, strict=True) if f.name in fields}

    def change(self, record_id: str, expect: Mapping[str, Any], changes: Mapping[str, Any]) -> R | None:
        parts, changed = _assignments(checked_changes(self._fields, changes))
        where, values = self._one(record_id, expect)
        sql = f"UPDATE {self._table} SET {', '.join([*parts, 'rev = rev + 1'])} {where} RETURNING {self._columns}"  # noqa: S608
        bound = [*changed, *values]
        with self._connections.writing() as connection:
            # all rows are fetched: the statement commits when it ends
            rows = connection.execute(sql, bound).fetchall()
        return self._loaded(rows[0]) if rows else None

    def find(
        self, where: Mapping[str, Any], *, sort: Sequence[str] = ("id",), skip: int = 0, limit: int | None = None
    ) -> list[R]:
        conditions, keys = checked_conditions(self._fields, where), checked_sort(self._fields, sort)
        order, window = ordered(keys), [-1 if limit is None else limit, skip]
        paged = None if limit is None else beside(self._sides, conditions, keys, is_frequent=self._is_frequent)
        if paged is not None:
            # what is skipped is read where it is small
            ids = f"SELECT id {paged.sql}{order} LIMIT ? OFFSET ?"
            sql = f"SELECT {self._columns} FROM {self._table} WHERE id IN ({ids}){order}"  # noqa: S608
            return self._selected(sql, [*paged.values, *window])
        found = self._all(conditions)
        sql = f"SELECT {self._columns} {found.sql}{order} LIMIT ? OFFSET ?"
        return self._selected(sql, [*found.values, *window])

    def count(self, where: Mapping[str, Any]) -> int:
        conditions = checked_conditions(self._fields, where)
        found = beside(self._sides, conditions) or in_table(self._sides, conditions)
        return int(self._asked(f"SELECT count(*) {found.sql}", found.values))

    def total(self, field: str, where: Mapping[str, Any]) -> float:
        name, conditions = numeric_field(self._fields, field).name, checked_conditions(self._fields, where)
        found = beside(self._sides, conditions, also=name) or in_table(self._sides, conditions)
        return float(self._asked(f"SELECT total({quoted(name)}) {found.sql}", found.values))

    def sums(self, field: str, by: str, where: Mapping[str, Any]) -> dict[str, Sum]:
        name, group = numeric_field(self._fields, field).name, text_field(self._fields, by).name
        found = in_table(self._sides, checked_conditions(self._fields, where))
        sql = f"SELECT {quoted(group)}, total({quoted(name)}), count(*) {found.sql} GROUP BY 1"
        with self._connections.reading() as connection:
            rows = connection.execute(sql, found.values).fetchall()
        return {value: Sum(total, count) for value, total, count in rows if value is not None}

    def distinct(self, field: str, where: Mapping[str, Any]) -> list[str]:
        name, conditions = text_field(self._fields, field).name, checked_conditions(self._fields, where)
        found = beside(self._sides, conditions, also=name) or in_table(self._sides, conditions)
        with self._connections.reading() as connection:
            rows = connection.execute(_distinct(quoted(name), found.sql), found.values * 2).fetchall()
        return [value for (value,) in rows]

    def remove(self, record_id: str, expect: Mapping[str, Any] = {}) -> bool:
        where, values = self._one(record_id, expect)
        return self._written(f"DELETE FROM {self._table} {where}", values) == 1  # noqa: S608

    def _all(self, conditions: Sequence[Any]) -> Selection:
        """All rows that meet the conditions, by the indexes of the brief table where those are."""
        found = beside(self._sides, conditions) if conditions else None
        if found is None:
            return in_table(self._sides, conditions)
        return Selection(f"FROM {self._table} WHERE id IN (SELECT id {found.sql})", found.values)

    def _is_frequent(self, sql: str, values: list[Any]) -> bool:
        """True when the query finds that much."""
        asked = f"SELECT count(*) FROM ({sql} LIMIT ?)"  # noqa: S608
        return int(self._asked(asked, [*values, FREQUENT])) == FREQUENT

    def _one(self, record_id: str, expect: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """The row of that id when it meets the conditions."""
        conditions = [as_sql(field, condition) for field, condition in checked_conditions(self._fields, expect)]
        parts = ["id = ?", *(part for part, _ in conditions)]
        return f"WHERE {' AND '.join(parts)}", [record_id, *(value for _, bound in conditions for value in bound)]

    def _written(self, sql: str, values: Sequence[Any]) -> int:
        with self._connections.writing() as connection:
            return connection.execute(sql, values).rowcount

    def _asked(self, sql: str, values: Sequence[Any]) -> Any:
        with self._connections.reading() as connection:
            return connection.execute(sql, values).fetchone()[0]

    def _selected(self, sql: str, values: Sequence[Any]) -> list[R]:
        with self._connections.reading() as connection:
            rows = connection.execute(sql, values).fetchall()
        return [self._loaded(row) for row in rows]

    def _loaded(self, row: Sequence[Any]) -> R:
        kept = dict(zip(self._fields, row, strict=True))
        checked_schema(kept["id"], kept["schema"])
        return self._record(**{name: _read(self._fields[name], value) for name, value in kept.items()})


def _assignments(changes: Changes) -> tuple[list[str], list[Any]]:
    """The changes as assignments, with what is bound in them."""
    parts = [f"{quoted(field.name)} = ?" for field, _ in changes.assigned]
    parts += [f"{quoted(field.name)} = {quoted(field.name)} + ?" for field, _ in changes.added]
    bound = [*(_kept(field, value) for field, value in changes.assigned), *(amount for _, amount in changes.added)]
    for field, put in changes.put:
        parts.append(f"{quoted(field.name)} = json_set({quoted(field.name)}{', ?, json(?)' * len(put)})")
        bound += [each for name, value in put.items() for each in (_path(name), dumped(value))]
    for field, dropped in changes.dropped:
        parts.append(f"{quoted(field.name)} = json_remove({quoted(field.name)}{', ?' * len(dropped)})")
        bound += [_path(name) for name in dropped]
    return parts, bound


def _path(member: str) -> str:
    """A member of an object (https://www.sqlite.org/json1.html#path_arguments)."""
    return f'$."{member}"'


def _kept(field: Field, value: Any) -> Any:
    return dumped(value) if field.kind in JSON and value is not None else value


def _read(field: Field, value: Any) -> Any:
    if value is None:
        return None
    match field.kind:
        case "object" | "list":
            return field.loaded(json.loads(value))
        case "flag":
            return bool(value)
        case "number":
            return float(value)  # RETURNING gives 0 for a REAL 0.0 (SQLite 3.40)
        case _:
            return value


def _distinct(column: str, found: str) -> str:
    """Each value by one look into the index for what comes after the one before: DISTINCT reads every row."""
    follows = f"{found} {'AND' if ' WHERE ' in found else 'WHERE'} {column} > seen.value"
    return (
        f"WITH RECURSIVE seen(value) AS (SELECT min({column}) {found}"  # noqa: S608
        f" UNION ALL SELECT (SELECT min({column}) {follows}) FROM seen WHERE seen.value IS NOT NULL)"
        " SELECT value FROM seen WHERE value IS NOT NULL"
    )
