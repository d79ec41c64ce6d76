"""Conditions as SQL, and where to look: in the table itself, or in what is kept beside it (`sides.py`).

SQLite has no statistics of these files, and prefers the index with the most columns that are compared. For a page of a
long listing that is wrong: sorting what it finds costs more than walking along the order. So the index is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final

from mediaflow.persistence.fields import Condition, Field
from mediaflow.persistence.sqlite.sides import token
from mediaflow.persistence.sqlite.sql import quoted
from mediaflow.persistence.tables import Table
from mediaflow.services.ports import After, Below, Between, Contains, HasPrefixes, OneOf

Conditions = Sequence[tuple[Field, Condition]]
Keys = Sequence[tuple[Field, bool]]

FREQUENT: Final = 5_000
"""So many hits of a search are not sorted: walking along the order and asking which are hits is faster (16 ms against
40 for the first page of 75,000 hits among 100,000, 44 against 112 for the last). For fewer, it is the other way round.
"""
_LOWEST: Final = "-9e999"
"""Minus infinity: no number is smaller, and NULL is not compared."""


@dataclass(frozen=True, slots=True)
class Selection:
    """`FROM ... WHERE ...` with its values."""

    sql: str
    values: list[Any]


def in_table(table: Table, conditions: Conditions) -> Selection:
    """The rows of the table itself."""
    parts: list[str] = []
    values: list[Any] = []
    tokens = _tokens(table, conditions)
    for field, condition in conditions:
        if tokens and _is_indexed(table, field, condition):
            continue
        part, bound = as_sql(field, condition)
        parts.append(part)
        values += bound
    if tokens:
        beside = _from_lists(table)
        parts.append(f"id IN (SELECT id FROM {beside})")  # noqa: S608
        values.append(tokens)
    return Selection(f"FROM {quoted(table.name)}{_where(parts)}", values)


def beside(
    table: Table,
    conditions: Conditions,
    keys: Keys = (),
    *,
    also: str | None = None,
    is_frequent: Callable[[str, list[Any]], bool] = lambda _sql, _values: False,
) -> Selection | None:
    """The same rows in the brief table; None when it does not have all the fields. `also` is read besides.

    `is_frequent` tells whether a query finds at least `FREQUENT` rows.
    """
    rest = [(field, condition) for field, condition in conditions if not _is_indexed(table, field, condition)]
    read = {field.name for field, _ in (*rest, *keys)} | ({also} if also else set())
    if not table.brief or not read <= {"id", *table.brief}:
        return None
    made = [as_sql(field, condition) for field, condition in rest]
    parts, values = [part for part, _ in made], [value for _, bound in made for value in bound]
    index, tokens, lists = _best_index(table, rest, keys, read), _tokens(table, conditions), quoted(table.lists_name)
    if tokens:
        hits = f"SELECT rowid FROM {lists} WHERE {lists} MATCH ?"  # noqa: S608
        if index is None or not keys or not is_frequent(hits, [tokens]):
            return Selection(f"FROM {_from_lists(table)}{''.join(f' AND {part}' for part in parts)}", [tokens, *values])
        parts, values = [*parts, f"number IN ({hits})"], [*values, tokens]
    hint = f" INDEXED BY {quoted(index)}" if index else ""
    return Selection(f"FROM {quoted(table.brief_name)}{hint}{_where(parts)}", values)


def as_sql(field: Field, condition: Condition) -> tuple[str, list[Any]]:
    """One condition on the table itself, with its values."""
    column = quoted(field.name)
    match condition:
        case Below(limit):
            return f"{column} < ?", [limit]
        case After(text):
            return f"{column} > ?", [text]
        case Between(least, below):
            # not `IS NOT NULL`: SQLite looks for that in an index only when it has statistics
            parts = [f"{column} >= {_LOWEST if least is None else '?'}"]
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


def _where(parts: Iterable[str]) -> str:
    joined = " AND ".join(parts)
    return f" WHERE {joined}" if joined else ""


def _is_indexed(table: Table, field: Field, condition: Condition) -> bool:
    return field.name in table.lists and isinstance(condition, Contains | HasPrefixes)


def _tokens(table: Table, conditions: Conditions) -> str:
    """What FTS5 is asked for; nothing when no list is looked into."""
    terms: list[str] = []
    for field, condition in conditions:
        match condition:
            case Contains(element) if field.name in table.lists:
                terms.append(f'"{token(table, field.name, element)}"')
            case HasPrefixes(prefixes) if field.name in table.lists:
                terms += [f'"{token(table, field.name, prefix)}" *' for prefix in prefixes]
    return " AND ".join(terms)


def _from_lists(table: Table) -> str:
    """`CROSS JOIN` keeps the order: the index first, then what it has found."""
    lists, brief = quoted(table.lists_name), quoted(table.brief_name)
    return f"{lists} AS l CROSS JOIN {brief} AS b ON b.number = l.rowid WHERE {lists} MATCH ?"


def _best_index(table: Table, conditions: Conditions, keys: Keys, read: set[str]) -> str | None:
    """The index that gives the order, else has all that is read, else has most that is compared."""
    equal = {
        field.name for field, condition in conditions if isinstance(condition, OneOf) and len(condition.values) == 1
    }
    order = [(field.name, descends) for field, descends in keys if field.name not in equal]
    found: tuple[tuple[bool, int], str] | None = None
    for name, index in table.indexes_of(brief=True).items():
        compared = len(list(takewhile(equal.__contains__, index)))
        if not compared or not _gives_order(index[compared:], order):
            continue
        worth = (read.issubset(index), compared)
        if found is None or worth > found[0]:
            found = worth, name
    return found[1] if found else None


def _gives_order(columns: Sequence[str], keys: Sequence[tuple[str, bool]]) -> bool:
    """Walked forwards or backwards (indexes here ascend)."""
    return len({descends for _, descends in keys}) < 2 and [name for name, _ in keys] == list(columns[: len(keys)])
