"""Documents in memory: the ports `Database` and `Repository` without a server, a file or a thread.

They check conditions and changes as the real ones do, and tell whoever watches of every write, before and after it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import fields, replace
from functools import cache
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

from mediaflow.domain.errors import Unavailable
from mediaflow.persistence.fields import (
    JSON,
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
from mediaflow.persistence.tables import TABLES
from mediaflow.services.ports import After, Below, Between, Contains, HasPrefixes, OneOf, Sum

R = TypeVar("R")
Watcher = Callable[[str, Any, Any], None]
"""Told `(table, before, after)` of each write; None stands for no record."""
KINDS: Final[dict[str, type[Any]]] = {table.name: table.record for table in TABLES}


@cache
def _fields(kind: Any) -> Mapping[str, Field]:
    return fields_of(kind)


def unwatched(_table: str, _before: Any, _after: Any) -> None:
    """Nobody watches."""


class MemoryRepository(Generic[R]):
    """Records of one kind by id. What is given and what is kept share no list and no dictionary."""

    def __init__(self, table: str, kind: type[R], watch: Watcher = unwatched) -> None:
        self.table, self.kind, self.watch = table, kind, watch
        self.records: dict[str, Any] = {}
        self.closed = False
        self._fields = _fields(kind)  # type: ignore[arg-type]  # a class is hashable
        self._tests: dict[tuple[str, OneOf], Callable[[Any], bool]] = {}
        self._json = tuple(f.name for f in self._fields.values() if f.kind in JSON and f.codec is None)

    def insert(self, record: Any) -> bool:
        self._check_open()
        if record.id in self.records:
            return False
        for field in fields(record):
            self._fields[field.name].checked(getattr(record, field.name))
        kept = replace(record, **{name: deepcopy(value) for name in self._json if (value := getattr(record, name))})
        self.records[record.id] = kept
        self.watch(self.table, None, kept)
        return True

    def insert_all(self, records: Sequence[Any]) -> None:
        for record in records:
            self.insert(record)

    def get(self, record_id: str) -> Any:
        self._check_open()
        return None if (found := self.records.get(record_id)) is None else _known(found)

    def peek(self, record_id: str, fields: Sequence[str]) -> dict[str, Any] | None:
        self._check_open()
        names = [field.name for field in known_fields(self._fields, fields)]
        found = self.get(record_id)
        return None if found is None else {name: getattr(found, name) for name in names}

    def change(self, record_id: str, expect: Mapping[str, Any], changes: Mapping[str, Any]) -> Any:
        self._check_open()
        meets = self._matcher(expect)
        wanted = checked_changes(self._fields, changes)
        before = self.records.get(record_id)
        if before is None or not meets(before):
            return None
        new: dict[str, Any] = {"rev": before.rev + 1}
        for field, value in wanted.assigned:
            new[field.name] = _kept(field, value, changes)
        for field, by in wanted.added:
            new[field.name] = getattr(before, field.name) + by
        for field, members in wanted.put:
            new[field.name] = getattr(before, field.name) | deepcopy(dict(members))
        for field, names in wanted.dropped:
            old = new.get(field.name, getattr(before, field.name))
            new[field.name] = {name: value for name, value in old.items() if name not in names}
        after = replace(before, **new)
        self.records[record_id] = after
        self.watch(self.table, before, after)
        return after

    def find(
        self, where: Mapping[str, Any], *, sort: Sequence[str] = ("id",), skip: int = 0, limit: int | None = None
    ) -> list[Any]:
        found = list(self._matching(where))
        if len(found) < 2 and sort == ("id",):
            return [_known(record) for record in found[skip : None if limit is None else skip + limit]]
        for field, descends in reversed(checked_sort(self._fields, sort)):
            name = field.name
            if field.nullable:
                found.sort(key=_nullable(name), reverse=descends)
            else:
                found.sort(key=attrgetter(name), reverse=descends)
        return [_known(record) for record in found[skip : None if limit is None else skip + limit]]

    def count(self, where: Mapping[str, Any]) -> int:
        return sum(1 for _ in self._matching(where))

    def total(self, field: str, where: Mapping[str, Any]) -> float:
        name = numeric_field(self._fields, field).name
        return sum(getattr(record, name) or 0 for record in self._matching(where))

    def sums(self, field: str, by: str, where: Mapping[str, Any]) -> dict[str, Sum]:
        name, group = numeric_field(self._fields, field).name, text_field(self._fields, by).name
        found: dict[str, list[float]] = {}
        for record in self._matching(where):
            if (value := getattr(record, group)) is not None:
                found.setdefault(value, []).append(getattr(record, name) or 0.0)
        return {value: Sum(sum(each), len(each)) for value, each in found.items()}

    def distinct(self, field: str, where: Mapping[str, Any]) -> list[str]:
        name = text_field(self._fields, field).name
        return sorted({getattr(record, name) for record in self._matching(where)} - {None})

    def remove(self, record_id: str, expect: Mapping[str, Any] = {}) -> bool:
        self._check_open()
        meets = self._matcher(expect)
        before = self.records.get(record_id)
        if before is None or not meets(before):
            return False
        del self.records[record_id]
        self.watch(self.table, before, None)
        return True

    def candidates(self, where: Mapping[str, Any]) -> Iterable[Any]:
        """Records among which those that meet the conditions are."""
        return self.records.values()

    def _matching(self, where: Mapping[str, Any]) -> Iterable[Any]:
        self._check_open()
        return filter(self._matcher(where), self.candidates(where))

    def _matcher(self, where: Mapping[str, Any]) -> Callable[[Any], bool]:
        conditions = [(name, self._simple(name, value) or self._any(name, value)) for name, value in where.items()]

        def meets(record: Any) -> bool:
            for name, test in conditions:  # noqa: SIM110 - a loop is twice as fast, and most of a history is this
                if not test(getattr(record, name)):
                    return False
            return True

        return meets

    def _simple(self, name: str, value: Any) -> Callable[[Any], bool] | None:
        """The test of a condition that needs no check, as most do; checks are half of what a history costs."""
        field, kind = self._fields.get(name), type(value)
        if field is None:
            return None
        if (kind is str and field.kind == "text" and (not field.choices or value in field.choices)) or (
            kind is bool and field.kind == "flag"
        ):
            return lambda found: bool(found == value)
        if kind is Below and field.kind == "number":
            bound = value.value
            return lambda found: found is not None and found < bound
        return None

    def _any(self, name: str, value: Any) -> Callable[[Any], bool]:
        if type(value) is not OneOf:
            return _test(checked_conditions(self._fields, {name: value})[0][1])
        known = self._tests.get((name, value))
        if known is None:
            known = self._tests[name, value] = _test(checked_conditions(self._fields, {name: value})[0][1])
        return known

    def _check_open(self) -> None:
        if self.closed:
            raise Unavailable("The database is closed.", code="database.closed")


class MemoryDatabase:
    """All repositories and their clock."""

    def __init__(self, clock: Callable[[], float] = time.time, watch: Watcher = unwatched) -> None:
        self.now = clock
        self.repositories = {table: MemoryRepository(table, kind, watch) for table, kind in KINDS.items()}

    def __getattr__(self, table: str) -> MemoryRepository[Any]:
        try:
            return self.__dict__["repositories"][table]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(table) from None

    def records(self, table: str) -> list[Any]:
        """What is kept of a table."""
        return list(self.repositories[table].records.values())

    def opened_again(self) -> MemoryDatabase:
        """Another handle to the same documents."""
        other = MemoryDatabase(self.now)
        for table, repository in self.repositories.items():
            other.repositories[table].records = repository.records
        return other

    def ping(self) -> None:
        """It answers until it is closed."""

    def close(self) -> None:
        for repository in self.repositories.values():
            repository.closed = True


def _known(record: Any) -> Any:
    checked_schema(record.id, record.schema)
    return record


def _kept(field: Field, value: Any, changes: Mapping[str, Any]) -> Any:
    if field.codec is not None:
        return changes[field.name]  # a frozen value
    return deepcopy(value) if field.kind in JSON and value else value


def _nullable(name: str) -> Callable[[Any], tuple[bool, Any]]:
    """By a field in which None comes before values."""

    def key(record: Any) -> tuple[bool, Any]:
        return (value := getattr(record, name)) is not None, value

    return key


def _test(condition: Any) -> Callable[[Any], bool]:
    match condition:
        case OneOf(values):
            if len(values) == 1:
                (only,) = values
                return lambda value: bool(value == only)
            return lambda value: value in values
        case Below(bound):
            return lambda value: value is not None and value < bound
        case Between(least, below):
            return lambda value: (
                value is not None and (least is None or value >= least) and (below is None or value < below)
            )
        case After(text):
            return lambda value: value is not None and value > text
        case Contains(wanted):
            return lambda value: value is not None and wanted in value
        case HasPrefixes(prefixes):
            return lambda value: (
                value is not None and all(any(each.startswith(prefix) for each in value) for prefix in prefixes)
            )
    raise TypeError(f"{condition!r} is no condition")
