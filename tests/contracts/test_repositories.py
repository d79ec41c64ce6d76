"""The contract of `mediaflow.services.ports.Database`: every implementation passes the same tests.

This file: what is kept comes back as it was. Changes and finding have files of their own.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mediaflow.domain.errors import Unavailable
from mediaflow.domain.ids import new_id
from mediaflow.domain.publication import Files, Output, Publication
from mediaflow.domain.records import SCHEMA_VERSION
from mediaflow.persistence.fields import Field, fields_of
from mediaflow.services.ports import (
    Database,
    OneOf,
    Repository,
)
from tests.contracts.recordkinds import TABLES, Backend, asset, make, task
from tests.services.records import HLS, PUBLICATION


class TestInsertAndGet:
    def test_a_record_comes_back_as_it_was(self, database: Database) -> None:
        kept = task()
        assert database.tasks.insert(kept) is True
        assert database.tasks.get(kept.id) == kept

    def test_an_unknown_id_is_none(self, database: Database) -> None:
        assert database.tasks.get(new_id()) is None

    def test_the_second_insert_of_an_id_is_refused_and_changes_nothing(self, database: Database) -> None:
        first = task(name="first")
        database.tasks.insert(first)
        assert database.tasks.insert(task(id=first.id, name="second")) is False
        assert database.tasks.get(first.id) == first

    def test_many_are_kept_at_once_but_those_that_are_there_already(self, database: Database) -> None:
        there = [task(name="there"), task(name="there, too")]
        for each in there:
            database.tasks.insert(each)
        new = [task(name=f"new {number}") for number in range(450)]

        database.tasks.insert_all([])
        database.tasks.insert_all([*new[:7], task(id=there[0].id), *new[7:], task(id=there[1].id)])

        assert {each.id: each for each in database.tasks.find({})} == {each.id: each for each in [*there, *new]}

    def test_another_handle_sees_it_at_once(self, backend: Backend, database: Database) -> None:
        kept = task()
        database.tasks.insert(kept)
        other = backend.open()
        assert other.tasks.get(kept.id) == kept
        other.close()

    def test_every_stored_document_tells_the_version_of_its_shape(self, backend: Backend, database: Database) -> None:
        for table, kind in TABLES.items():
            repository: Repository[Any] = getattr(database, table)
            repository.insert(make(kind))
            assert [document["schema"] for document in backend.stored(table)] == [SCHEMA_VERSION]

    def test_every_stored_document_has_every_field(self, backend: Backend, database: Database) -> None:
        for table, kind in TABLES.items():
            repository: Repository[Any] = getattr(database, table)
            repository.insert(make(kind))
            (document,) = backend.stored(table)
            assert {name.removeprefix("_") for name in document} == set(fields_of(kind))

    @pytest.mark.parametrize(
        ("field", "value", "error"),
        [
            ("state", "runing", ValueError),
            ("created_at", "yesterday", TypeError),
            ("created_at", float("nan"), ValueError),
            ("attempt", True, TypeError),
            ("attempt", None, TypeError),
            ("needs", ("a",), TypeError),
        ],
    )
    def test_a_value_that_the_field_cannot_have_is_an_error(
        self, database: Database, field: str, value: Any, error: type[Exception]
    ) -> None:
        with pytest.raises(error, match=field):
            database.tasks.insert(task(**{field: value}))
        assert database.tasks.count({}) == 0


TEXTS = ["", " ", "a'b\"c;--", "Zoë 日本 😀 \u202e", "%s ? :x {}", "line\nline\ttab", "null", "1", "x" * 5_000]
NUMBERS = [0.0, 1.0, -1.5, 1e-300, 1732162402.366]
LONG_NUMBERS = [0.1 + 0.2, 1732162402.3661234, 1.7976931348623157e308]
INTEGERS = [0, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)]
OBJECTS: list[dict[str, Any]] = [
    {},
    {"": "", "a.b/c.m4s": {"x": [{"y": None}, [], {}]}, "$set": 1},
    {"floats": [1.0, 0.1, -2.5], "big": 2**53 + 1, "flags": [True, False], "Zoë": "日本 😀", "nul": "a\x00b"},
]
LISTS: list[list[Any]] = [[], ["ü", "", "a,b", "日本"], ["x"] * 100]


PUBLICATIONS = [
    PUBLICATION,
    Publication(1, (), (), 0.0),
    replace(
        PUBLICATION.following(replace(PUBLICATION, files=(Files("g0/", {"$a.b": HLS}),)), now=1.0, until=2.5),
        outputs=(Output("日本", "download", "g1/x.1/a.b", "text/plain", None, "\U0001f600"),),
        renditions=({"name": "x", "": None},),
        warnings=("a sentence",),
        sources=("g1/x.1",),
        poster_seconds=0.5,
    ),
]


def values_of(field: Field) -> list[Any]:
    by_kind: dict[str, list[Any]] = {
        "text": TEXTS,
        "integer": INTEGERS,
        "number": NUMBERS + LONG_NUMBERS,
        "flag": [True, False],
        "list": LISTS,
    }
    values: list[Any] = list(field.choices) or by_kind.get(field.kind, OBJECTS)
    if field.codec is not None:
        values = PUBLICATIONS
    if field.name == "schema":
        values = [-1, SCHEMA_VERSION]
    return [*values, None] if field.nullable else values


class TestSchema:
    def test_a_document_of_a_newer_shape_is_refused_with_a_sentence(self, database: Database) -> None:
        newer = asset(schema=SCHEMA_VERSION + 1)
        said = f"{newer.id} was written by a newer mediaflow .schema {SCHEMA_VERSION + 1}"
        database.assets.insert(newer)
        for look in (
            lambda: database.assets.get(newer.id),
            lambda: database.assets.peek(newer.id, ("published",)),
            lambda: database.assets.find({}),
        ):
            with pytest.raises(Unavailable, match=said):
                look()


class TestRoundTrip:
    """What is kept is what was given, type for type."""

    @pytest.mark.parametrize("table", TABLES)
    def test_every_field_keeps_every_awkward_value_when_inserted(self, database: Database, table: str) -> None:
        repository: Repository[Any] = getattr(database, table)
        for name, field in fields_of(TABLES[table]).items():
            for value in values_of(field) if name != "id" else []:
                kept = make(TABLES[table], **{name: value})
                repository.insert(kept)
                assert_same(repository.get(kept.id), kept)

    @pytest.mark.slow
    @pytest.mark.parametrize("table", TABLES)
    def test_every_field_keeps_every_awkward_value_when_changed(
        self, backend: Backend, database: Database, table: str
    ) -> None:
        # nx-27017 changes documents with SQLite's json_set, which writes numbers with 15 digits
        rounded = LONG_NUMBERS if backend.name == "nx-27017" else []
        repository: Repository[Any] = getattr(database, table)
        kept = make(TABLES[table])
        repository.insert(kept)
        for name, field in fields_of(TABLES[table]).items():
            for value in values_of(field) if name not in ("id", "rev") else []:
                if value in rounded:
                    continue
                changed = repository.change(kept.id, {}, {name: value})
                assert_same_value(getattr(changed, name), value)
                assert repository.get(kept.id) == changed

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def test_any_json_and_any_text_survive(self, database: Database, data: st.DataObject) -> None:
        texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
        keys = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
        scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | texts
        finite = scalars.filter(lambda value: value not in (float("inf"), float("-inf")))
        trees = st.recursive(
            finite, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner), max_leaves=8
        )
        kept = asset(
            title=data.draw(texts),
            tags=data.draw(st.lists(texts, max_size=4)),
            media=data.draw(st.dictionaries(keys, trees, max_size=4)),
            duration_seconds=data.draw(st.none() | st.floats(allow_nan=False, allow_infinity=False)),
        )
        database.assets.insert(kept)
        assert database.assets.get(kept.id) == kept


def assert_same(found: Any, kept: Any) -> None:
    assert found == kept
    for name in fields_of(type(kept)):
        assert_same_value(getattr(found, name), getattr(kept, name))


def assert_same_value(found: Any, kept: Any) -> None:
    assert found == kept
    assert type(found) is type(kept)
    for key in kept if isinstance(kept, dict) else ():
        # an int may be a subclass of int in a nested value (BSON's Int64); a float stays a float
        assert isinstance(found[key], type(kept[key]))


class TestRemove:
    def test_it_removes_once(self, database: Database) -> None:
        kept = task()
        database.tasks.insert(kept)
        assert database.tasks.remove(kept.id) is True
        assert database.tasks.get(kept.id) is None
        assert database.tasks.remove(kept.id) is False

    def test_it_removes_only_what_meets_the_conditions(self, database: Database) -> None:
        kept, other = task(worker="w1"), task()
        database.tasks.insert(kept)
        database.tasks.insert(other)
        assert database.tasks.remove(kept.id, {"worker": OneOf((None, "w2"))}) is False
        assert database.tasks.remove(kept.id, {"state": "running"}) is False
        assert database.tasks.remove(kept.id, {"worker": "w1", "rev": 1}) is True
        assert [found.id for found in database.tasks.find({})] == [other.id]


class TestClockAndEnd:
    def test_the_clock_is_in_seconds_since_the_epoch_and_goes_on(self, database: Database) -> None:
        first = database.now()
        assert abs(first - time.time()) < 2
        time.sleep(0.02)
        assert first < database.now() < first + 5

    def test_ping_returns_when_it_answers(self, database: Database) -> None:
        database.ping()

    def test_closing_twice_and_unused_does_no_harm(self, backend: Backend) -> None:
        database = backend.open()
        database.close()
        database.close()

    def test_nothing_is_done_after_close(self, backend: Backend) -> None:
        database = backend.open()
        database.ping()
        database.close()
        with pytest.raises(Unavailable, match="closed"):
            database.tasks.count({})
