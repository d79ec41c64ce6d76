"""What is kept beside a table, so that long listings are fast. Triggers keep it: a write stays one statement.

`<table>_brief` has the small fields of each record, which listings filter and sort by: a walk over 100,000 of them
reads 15 MB and not 300. Its `number` is a key of its own, since VACUUM may change the rowids of the table itself.

`<table>_lists` is an FTS5 index over the elements of lists, by that number. FTS5 knows no exact elements, so each is
one token: a letter for its field, then its UTF-8 in hexadecimal. A prefix of a text is a prefix of its token then.
Tried against a plain table of (element, number) with 100,000 assets of 40 words: a tenth of the space, half the time of
an insert, and a prefix that nearly all have is counted in 20 ms instead of 350.

Both follow from the table, so they are made anew when what they should be has changed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from string import ascii_lowercase
from typing import Final

from mediaflow.persistence.derived import DERIVED, Derived
from mediaflow.persistence.fields import JSON, fields_of
from mediaflow.persistence.sqlite.columns import column
from mediaflow.persistence.sqlite.sql import dumped, listed, quoted
from mediaflow.persistence.tables import TABLES, Table

_FTS: Final = (
    # the texts themselves are in the table
    "content=''",
    # neither ranks nor positions are asked for
    "columnsize=0",
    "detail=none",
    # prefixes of one, two and three bytes (after the field's letter) are frequent and match much: they have entries
    "prefix='3 5 7'",
    # letters and digits are one token
    "tokenize='ascii'",
)

_SEGMENTS_MERGED: Final = 8
"""So many parts of the index are put together at a time. With FTS5's 4, an insert took a fifth longer."""


def token(table: Table, field: str, text: str) -> str:
    """The token of an element, or what begins the tokens of the elements that begin so."""
    return ascii_lowercase[table.lists.index(field)] + text.encode("utf-8", "surrogatepass").hex()


def offer_functions(connection: sqlite3.Connection) -> None:
    """The functions that some of the statements call."""
    for table, derived in DERIVED.items():
        for each in derived:
            connection.create_function(_function(table, each), len(each.sources), _over_json(table, each))


def side_statements(connection: sqlite3.Connection, table: Table) -> Iterator[str]:
    """The statements that make what should be beside the table; none when it is there."""
    tables, triggers = _tables(table), dict(_triggers(table)) if table.brief else {}
    wanted = tables | triggers
    marks = ", ".join("?" for _ in wanted)
    found = connection.execute(f"SELECT name, sql FROM sqlite_schema WHERE name IN ({marks})", [*wanted])  # noqa: S608
    if dict(found) == wanted:
        return
    old = "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?"
    yield from (f"DROP TRIGGER {quoted(name)}" for (name,) in connection.execute(old, [table.name]).fetchall())
    yield from (f"DROP TABLE IF EXISTS {quoted(name)}" for name in reversed(tables))
    yield from (_derivation(table, each) for each in DERIVED.get(table.name, ()))
    yield from tables.values()
    if table.lists:
        lists = quoted(table.lists_name)
        yield f"INSERT INTO {lists} ({lists}, rank) VALUES ('automerge', {_SEGMENTS_MERGED})"  # noqa: S608
    yield from _fillings(table)
    yield from triggers.values()


def _function(table: str, derived: Derived) -> str:
    return f"mediaflow_{table}_{derived.field}"


def _over_json(table: str, derived: Derived) -> Callable[..., str]:
    fields = fields_of(next(each.record for each in TABLES if each.name == table))
    are_json = [fields[name].kind in JSON for name in derived.sources]

    def made(*values: str) -> str:
        pairs = zip(values, are_json, strict=True)
        return dumped(derived.make(*(json.loads(value) if is_json else value for value, is_json in pairs)))

    return made


def _derivation(table: Table, derived: Derived) -> str:
    """Records that are older than the field have it empty."""
    field, call = quoted(derived.field), f"{_function(table.name, derived)}({listed(derived.sources)})"
    return f"UPDATE {quoted(table.name)} SET {field} = {call} WHERE {field} = '[]'"  # noqa: S608


def _fillings(table: Table) -> Iterator[str]:
    name, brief, lists = quoted(table.name), quoted(table.brief_name), quoted(table.lists_name)
    columns = listed(("id", *table.brief))
    yield f"INSERT INTO {brief} ({columns}) SELECT {columns} FROM {name}"  # noqa: S608
    if table.lists:
        yield (
            f"INSERT INTO {lists} (rowid, elements) SELECT b.number, {_tokens(table, 'a')}"  # noqa: S608
            f" FROM {brief} b JOIN {name} a ON a.id = b.id"
        )


def _tables(table: Table) -> dict[str, str]:
    if not table.brief:
        return {}
    fields = fields_of(table.record)
    columns = ["number INTEGER PRIMARY KEY", "id TEXT NOT NULL UNIQUE", *(column(fields[n]) for n in table.brief)]
    found = {table.brief_name: f"CREATE TABLE {quoted(table.brief_name)} ({', '.join(columns)}) STRICT"}
    if table.lists:
        options = ", ".join(("elements", *_FTS))
        found[table.lists_name] = f"CREATE VIRTUAL TABLE {quoted(table.lists_name)} USING fts5({options})"
    return found


def _triggers(table: Table) -> Iterator[tuple[str, str]]:
    brief = quoted(table.brief_name)
    insert = (
        f"INSERT INTO {brief} ({listed(('id', *table.brief))})"  # noqa: S608
        f" VALUES ({listed(('id', *table.brief), 'new.')})"
    )
    add, drop = ([_list_change(table, row)] if table.lists else [] for row in ("new", "old"))
    yield _trigger(table, "inserted", "INSERT", insert, *add)
    yield _trigger(table, "deleted", "DELETE", *drop, f"DELETE FROM {brief} WHERE id = old.id")  # noqa: S608
    for name in table.brief:
        # one for each: SQLite rewrites the entries of each index with a column that is set, changed or not
        update = f"UPDATE {brief} SET {quoted(name)} = new.{quoted(name)} WHERE id = new.id"  # noqa: S608
        yield _trigger(table, f"updated_{name}", f"UPDATE OF {quoted(name)}", update)
    if table.lists:
        yield _trigger(table, "updated_lists", f"UPDATE OF {listed(table.lists)}", *drop, *add)


def _trigger(table: Table, name: str, event: str, *statements: str) -> tuple[str, str]:
    name = f"{table.name}_{name}"
    body = " ".join(f"{statement};" for statement in statements)
    return name, f"CREATE TRIGGER {quoted(name)} AFTER {event} ON {quoted(table.name)} BEGIN {body} END"


def _list_change(table: Table, row: str) -> str:
    """Add the new row's tokens, or take out the old one's: FTS5 must be told what it had, it keeps no texts."""
    lists, command = quoted(table.lists_name), "'delete'" if row == "old" else ""
    columns = f"{lists}, rowid, elements" if command else "rowid, elements"
    number = f"(SELECT number FROM {quoted(table.brief_name)} WHERE id = {row}.id)"  # noqa: S608
    values = ", ".join(filter(None, (command, number, _tokens(table, row))))
    return f"INSERT INTO {lists} ({columns}) VALUES ({values})"  # noqa: S608


def _tokens(table: Table, row: str) -> str:
    """All tokens of a row, with spaces."""
    each = " UNION ALL ".join(
        f"SELECT '{letter}' || hex(value) AS token FROM json_each({row}.{quoted(name)})"  # noqa: S608
        for letter, name in zip(ascii_lowercase, table.lists, strict=False)
    )
    return f"(SELECT group_concat(token, ' ') FROM ({each}))"  # noqa: S608
