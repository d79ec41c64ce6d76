"""The contract of `mediaflow.services.ports.Database`: every implementation passes the same tests."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Protocol, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mediaflow.domain.credentials import ApiKey, LoginCode
from mediaflow.domain.errors import Unavailable
from mediaflow.domain.eventlog import LoggedEvent, Tombstone
from mediaflow.domain.ids import new_id
from mediaflow.domain.publication import Files, Output, Publication
from mediaflow.domain.records import SCHEMA_VERSION, Answer, Asset, AuditEntry, Blob, Chunk, Job, Task, Upload
from mediaflow.persistence.fields import Field, fields_of
from mediaflow.services.ports import (
    Below,
    Between,
    Contains,
    Database,
    Drop,
    HasPrefixes,
    Increment,
    OneOf,
    Put,
    Repository,
)
from tests.services.records import HLS, PUBLICATION

TABLES: dict[str, type[Any]] = {
    "uploads": Upload,
    "chunks": Chunk,
    "assets": Asset,
    "jobs": Job,
    "tasks": Task,
    "login_codes": LoginCode,
    "blobs": Blob,
    "api_keys": ApiKey,
    "audit": AuditEntry,
    "answers": Answer,
    "events": LoggedEvent,
    "tombstones": Tombstone,
}
IN_PROCESSES = "mongomock lives in one process, and its find_one_and_update is a find and an update apart"


class Backend(Protocol):
    """What the fixture `backend` gives."""

    @property
    def name(self) -> str: ...
    @property
    def open(self) -> Callable[[], Database]: ...
    @property
    def stored(self) -> Callable[[str], list[dict[str, Any]]]: ...


PLAIN: dict[str, Any] = {"text": "x", "integer": 1, "number": 1.5, "flag": False, "object": {}, "list": []}


def make(kind: type[Any], /, **given: Any) -> Any:
    """A record with something in every field that has no default."""
    needed = [field for field in fields_of(kind).values() if field.default is None and field.name not in given]
    filled = {field.name: field.choices[0] if field.choices else PLAIN[field.kind] for field in needed}
    return kind(**{"id": new_id()} | {k: v for k, v in filled.items() if k != "id"} | given)


def task(**given: Any) -> Task:
    made: Task = make(Task, **{"state": "pending", "stage": "step"} | given)
    return made


def asset(**given: Any) -> Asset:
    made: Asset = make(Asset, **given)
    return made


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


class TestChange:
    def test_it_changes_what_it_was_told_counts_it_and_answers_the_record(self, database: Database) -> None:
        kept = task(name="n")
        database.tasks.insert(kept)
        changed = database.tasks.change(kept.id, {"state": "pending"}, {"state": "running", "worker": "w1"})
        assert changed is not None
        assert (changed.state, changed.worker, changed.rev, changed.name) == ("running", "w1", 2, "n")
        assert database.tasks.get(kept.id) == changed

    def test_it_never_creates(self, database: Database) -> None:
        unknown = new_id()
        assert database.tasks.change(unknown, {}, {"state": "running"}) is None
        assert database.tasks.get(unknown) is None

    def test_without_changes_only_rev_grows(self, database: Database) -> None:
        kept = task()
        database.tasks.insert(kept)
        changed = database.tasks.change(kept.id, {}, {})
        assert changed is not None
        assert changed.rev == 2

    def test_increments_add_beside_what_is_set(self, database: Database) -> None:
        kept = task(attempt=3, progress=0.5)
        database.tasks.insert(kept)
        added = {"attempt": Increment(), "failures": Increment(5), "progress": Increment(2), "worker": "w"}
        changed = database.tasks.change(kept.id, {"attempt": 3}, added)
        assert changed is not None
        assert (changed.attempt, changed.failures, changed.progress, changed.worker) == (4, 5, 2.5, "w")

    def test_members_of_an_object_are_set_and_taken_out_alone(self, database: Database) -> None:
        kept = task(params={"a": 1, "b": [1.5, None]}, attempt=1)
        database.tasks.insert(kept)
        changes: list[dict[str, Any]] = [
            {"params": Put({"c": {"x.y": ["Zoë \U0001f600", "a'b\"c", None, 1732162402.366]}, "a": 2}), "worker": "w"},
            {"params": Put({"0123456789abcdef0123456789abcdef": {}}), "attempt": Increment()},
            {"params": Drop(("a", "unknown")), "progress": 0.5},
            {"params": Put({})},
            {"params": Drop(())},
        ]
        for change in changes:
            changed = database.tasks.change(kept.id, {}, change)
            assert changed == database.tasks.get(kept.id)
        assert changed is not None
        assert changed.params == {
            "b": [1.5, None],
            "c": {"x.y": ["Zoë \U0001f600", "a'b\"c", None, 1732162402.366]},
            "0123456789abcdef0123456789abcdef": {},
        }
        assert list(changed.params)[-1] == "0123456789abcdef0123456789abcdef"
        assert (changed.worker, changed.attempt, changed.progress, changed.rev) == ("w", 2, 0.5, 6)

    def test_members_that_are_set_at_once_from_all_sides_are_all_there(
        self, backend: Backend, database: Database
    ) -> None:
        if backend.name == "mongomock":
            pytest.skip(IN_PROCESSES)
        database.tasks.insert(kept := task())
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: database.tasks.change(kept.id, {}, {"params": Put({f"k{n}": n})}), range(40)))
        found = database.tasks.get(kept.id)
        assert found is not None
        assert found.params == {f"k{n}": n for n in range(40)}

    @pytest.mark.parametrize(
        ("expect", "holds"),
        [
            ({}, True),
            ({"state": "pending"}, True),
            ({"state": "running"}, False),
            ({"state": OneOf(("running", "pending"))}, True),
            ({"state": OneOf(("running", "done"))}, False),
            ({"state": OneOf(())}, False),
            ({"worker": None}, True),
            ({"worker": "w"}, False),
            ({"worker": OneOf((None, "w"))}, True),
            ({"step": None}, False),
            ({"step": OneOf((None, "video"))}, True),
            ({"error": None}, True),
            ({"params": None}, False),
            ({"lease_until": Below(100.5)}, True),
            ({"lease_until": Below(100)}, False),
            ({"lease_until": 100}, True),
            ({"started_at": Below(1e12)}, False),
            ({"attempt": Below(3)}, True),
            ({"ready": True}, True),
            ({"ready": False}, False),
            ({"needs": Contains("plan")}, True),
            ({"needs": Contains("pla")}, False),
            ({"lease_until": Between(100, 100.5)}, True),
            ({"lease_until": Between(50, 100)}, False),
            ({"attempt": Between(least=2)}, True),
            ({"attempt": Between(below=2)}, False),
            ({"attempt": Between(2, 2)}, False),
            ({"started_at": Between()}, False),
            ({"lease_until": Between()}, True),
            ({"needs": HasPrefixes(("pl", "Zo"))}, True),
            ({"needs": HasPrefixes(("plan", "planx"))}, False),
            ({"needs": HasPrefixes(())}, True),
            ({"rev": 1, "attempt": 2, "state": "pending", "needs": Contains("Zoë")}, True),
            ({"rev": 2, "attempt": 2, "state": "pending"}, False),
        ],
    )
    def test_it_changes_only_what_meets_every_condition(
        self, database: Database, expect: Mapping[str, Any], holds: bool
    ) -> None:
        # given
        kept = task(step="video", ready=True, needs=["plan", "Zoë"], lease_until=100.0, attempt=2)
        database.tasks.insert(kept)
        # when
        changed = database.tasks.change(kept.id, expect, {"progress": 0.25})
        # then
        assert (changed is not None) is holds
        found = database.tasks.get(kept.id)
        assert found is not None
        assert (found.progress, found.rev) == ((0.25, 2) if holds else (0.0, 1))
        unchanged = {name: wanted for name, wanted in expect.items() if name != "rev"}
        assert database.tasks.count(unchanged) == (holds or unchanged != expect)

    @pytest.mark.parametrize(
        ("expect", "changes", "error"),
        [
            ({"sate": "pending"}, {}, ValueError),
            ({"state; DROP TABLE tasks": "pending"}, {}, ValueError),
            ({"state": "pendign"}, {}, ValueError),
            ({}, {"sate": "pending"}, ValueError),
            ({}, {"state": "pendign"}, ValueError),
            ({}, {"id": "x"}, ValueError),
            ({}, {"rev": 7}, ValueError),
            ({}, {"attempt": "1"}, TypeError),
            ({}, {"attempt": None}, TypeError),
            ({}, {"name": Increment()}, TypeError),
            ({}, {"started_at": Increment()}, TypeError),
            ({}, {"name": Put({"a": 1})}, TypeError),
            ({}, {"result": Put({"a": 1})}, TypeError),  # it may be None, which has no members
            ({}, {"params": Put({"a.b": 1})}, ValueError),
            ({}, {"params": Drop(("$a",))}, ValueError),
            ({}, {"params": Drop(('a"',))}, ValueError),
            ({"name": Below(3)}, {}, TypeError),
            ({"name": Contains("x")}, {}, TypeError),
            ({"name": Between(1, 2)}, {}, TypeError),
            ({"attempt": Between(least=float("nan"))}, {}, ValueError),
            ({"name": HasPrefixes(("x",))}, {}, TypeError),
            ({"needs": HasPrefixes((cast(str, 1),))}, {}, TypeError),
            ({"params": {}}, {}, TypeError),
        ],
    )
    def test_a_mistake_of_ours_is_an_error_and_changes_nothing(
        self, database: Database, expect: Mapping[str, Any], changes: Mapping[str, Any], error: type[Exception]
    ) -> None:
        kept = task()
        database.tasks.insert(kept)
        with pytest.raises(error):
            database.tasks.change(kept.id, expect, changes)
        assert database.tasks.get(kept.id) == kept


class TestFindAndCount:
    @pytest.fixture
    def assets(self, database: Database) -> Repository[Asset]:
        rows: list[tuple[str, str, float, list[str], float | None, int]] = [
            ("a", "ann", 1.0, ["cat", "Zoë"], None, 10),
            ("b", "ann", 3.0, ["dog"], None, 30),
            ("c", "ann", 3.0, [], 9.5, 20),
            ("d", "bob", 2.0, ["cat"], None, 40),
            ("e", "bob", 4.0, ["Cat", "cats"], None, 50),
        ]
        for name, owner, created_at, tags, deleted_at, size in rows:
            database.assets.insert(
                asset(
                    id=name,
                    owner=owner,
                    created_at=created_at,
                    tags=tags,
                    deleted_at=deleted_at,
                    size_bytes=size,
                    state="ready" if size > 20 else "failed",
                    playable=size > 30,
                )
            )
        return database.assets

    @pytest.mark.parametrize(
        ("where", "ids"),
        [
            ({}, "abcde"),
            ({"owner": "ann"}, "abc"),
            ({"owner": "eve"}, ""),
            ({"owner": "ann", "deleted_at": None}, "ab"),
            ({"deleted_at": Below(10)}, "c"),
            ({"tags": Contains("cat")}, "ad"),
            ({"tags": Contains("Zoë")}, "a"),
            ({"tags": Contains("")}, ""),
            ({"owner": "bob", "tags": Contains("cat")}, "d"),
            ({"id": OneOf(("a", "e", "z"))}, "ae"),
            ({"id": OneOf(())}, ""),
            ({"id": "d"}, "d"),
            ({"state": OneOf(("ready", "failed"))}, "abcde"),
            ({"state": OneOf(("ready",)), "owner": OneOf(("ann", "bob"))}, "bde"),
            ({"deleted_at": OneOf((None, 9.5)), "owner": "ann"}, "abc"),
            ({"playable": True}, "de"),
            ({"playable": OneOf((False,))}, "abc"),
            ({"size_bytes": Below(30), "created_at": Below(3)}, "a"),
            ({"size_bytes": OneOf((10, 50))}, "ae"),
            ({"created_at": 3}, "bc"),
            ({"created_at": Between(2, 4)}, "bcd"),
            ({"created_at": Between(least=3)}, "bce"),
            ({"created_at": Between(below=2.5)}, "ad"),
            ({"created_at": Between(3, 3)}, ""),
            ({"created_at": Between()}, "abcde"),
            ({"deleted_at": Between()}, "c"),
            ({"deleted_at": Between(below=1e12)}, "c"),
            ({"deleted_at": Between(least=10)}, ""),
            ({"owner": "ann", "deleted_at": None, "size_bytes": Between(11, 31)}, "b"),
            ({"tags": HasPrefixes(("cat",))}, "ade"),
            ({"tags": HasPrefixes(("ca", "Ca"))}, "e"),
            ({"tags": HasPrefixes(("Zo", "cat"))}, "a"),
            ({"tags": HasPrefixes(("Zoë",))}, "a"),
            ({"tags": HasPrefixes(("cat", "dog"))}, ""),
            ({"tags": HasPrefixes(("cats",))}, "e"),
            ({"tags": HasPrefixes(("catsx",))}, ""),
            ({"tags": HasPrefixes(())}, "abcde"),
            ({"tags": HasPrefixes(("",))}, "abde"),
            ({"tags": HasPrefixes(("%",))}, ""),
            ({"owner": "ann", "tags": HasPrefixes(("c",)), "deleted_at": None}, "a"),
        ],
    )
    def test_it_finds_and_counts_what_meets_every_condition(
        self, assets: Repository[Asset], where: Mapping[str, Any], ids: str
    ) -> None:
        assert [found.id for found in assets.find(where)] == list(ids)
        assert assets.count(where) == len(ids)

    @pytest.mark.parametrize(
        ("sort", "ids"),
        [
            (("id",), "abcde"),
            (("-id",), "edcba"),
            (("created_at", "id"), "adbce"),
            (("-created_at", "id"), "ebcda"),
            (("-created_at", "-id"), "ecbda"),
            (("owner", "-created_at", "-size_bytes"), "bcaed"),
            (("deleted_at", "-size_bytes"), "edbac"),
            (("-deleted_at", "size_bytes"), "cabde"),
            (("playable", "id"), "abcde"),
            (("-state", "-id"), "edbca"),
        ],
    )
    def test_it_sorts_by_each_field_in_turn_and_none_comes_before_values(
        self, assets: Repository[Asset], sort: tuple[str, ...], ids: str
    ) -> None:
        assert [found.id for found in assets.find({}, sort=sort)] == list(ids)

    @pytest.mark.parametrize(
        ("skip", "limit", "ids"),
        [(0, 2, "ec"), (2, 2, "bd"), (4, 2, "a"), (5, 2, ""), (1, None, "cbda"), (0, 0, ""), (0, 100, "ecbda")],
    )
    def test_it_skips_and_limits_after_sorting(
        self, assets: Repository[Asset], skip: int, limit: int | None, ids: str
    ) -> None:
        found = assets.find({}, sort=("-created_at", "-id"), skip=skip, limit=limit)
        assert [each.id for each in found] == list(ids)

    @pytest.mark.parametrize("sort", [("name",), ("tags",), ("id; DROP TABLE assets",)])
    def test_sorting_by_what_has_no_order_is_an_error(self, assets: Repository[Asset], sort: tuple[str, ...]) -> None:
        with pytest.raises(ValueError, match=r"field|sorted"):
            assets.find({}, sort=sort)

    @pytest.mark.parametrize(
        "element", ["a\U0001f600b", "a\uffff\U0010ffff", "\U0010ffff\U0010ffff", "\ud7ff!", "'\"%_*"]
    )
    def test_a_prefix_is_any_text(self, database: Database, element: str) -> None:
        database.assets.insert(asset(id="a", tags=["other", element]))
        for length in range(1, len(element) + 1):
            assert database.assets.count({"tags": HasPrefixes((element[:length],))}) == 1
        assert database.assets.count({"tags": HasPrefixes((element + "a",))}) == 0

    @pytest.mark.parametrize(
        ("field", "where", "total"),
        [
            ("size_bytes", {}, 150),
            ("size_bytes", {"owner": "ann"}, 60),
            ("size_bytes", {"owner": "ann", "deleted_at": None, "tags": Contains("cat")}, 10),
            ("size_bytes", {"owner": "eve"}, 0),
            ("created_at", {"owner": "ann"}, 7.0),
            ("deleted_at", {}, 9.5),
            ("deleted_at", {"owner": "bob"}, 0),
        ],
    )
    def test_it_adds_up_a_field(
        self, assets: Repository[Asset], field: str, where: Mapping[str, Any], total: float
    ) -> None:
        assert assets.total(field, where) == total

    @pytest.mark.parametrize("field", ["title", "tags", "playable"])
    def test_what_is_no_number_is_not_added_up(self, assets: Repository[Asset], field: str) -> None:
        with pytest.raises(TypeError, match=field):
            assets.total(field, {})
        with pytest.raises(ValueError, match="no field"):
            assets.total("size", {})

    @pytest.mark.parametrize(
        ("field", "where", "values"),
        [
            ("owner", {}, {"ann", "bob"}),
            ("owner", {"owner": "eve"}, set()),
            ("sha256", {}, None),
        ],
    )
    def test_it_tells_the_different_values_of_a_field(
        self, assets: Repository[Asset], field: str, where: Mapping[str, Any], values: set[str] | None
    ) -> None:
        found = assets.distinct(field, where)
        known = {getattr(record, field) for record in assets.find(where)} - {None}
        assert sorted(found) == sorted(known if values is None else values)

    def test_only_texts_have_different_values_to_tell(self, assets: Repository[Asset]) -> None:
        with pytest.raises(TypeError, match="size_bytes"):
            assets.distinct("size_bytes", {})

    def test_it_peeks_at_some_fields(self, assets: Repository[Asset]) -> None:
        peeked = assets.peek("c", ("owner", "rev", "deleted_at", "tags", "playable", "media", "id"))
        assert peeked == {
            "owner": "ann",
            "rev": 1,
            "deleted_at": 9.5,
            "tags": [],
            "playable": False,
            "media": None,
            "id": "c",
        }
        assert assets.peek("a", ("tags",)) == {"tags": ["cat", "Zoë"]}
        assert assets.peek("z", ("owner",)) is None
        with pytest.raises(ValueError, match="no field"):
            assets.peek("a", ("owner; DROP TABLE assets",))

    def test_many_records_are_found_whole(self, database: Database) -> None:
        upload = new_id()
        for index in range(250):
            database.chunks.insert(make(Chunk, upload_id=upload, index=index))
        found = database.chunks.find({"upload_id": upload}, sort=("index",))
        assert [chunk.index for chunk in found] == list(range(250))


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


def claim_all(database: Database, worker: str) -> int:
    """What a worker does: look for the best pending tasks, claim them one by one. How many were claimed."""
    claimed = 0
    while found := database.tasks.find({"state": "pending", "ready": True}, sort=("-priority", "created_at"), limit=8):
        for each in found:
            changes = {"state": "running", "worker": worker, "attempt": Increment()}
            claimed += (
                database.tasks.change(each.id, {"state": "pending", "attempt": each.attempt}, changes) is not None
            )
    return claimed


def add_all(database: Database, record_id: str, times: int) -> None:
    for _ in range(times):
        assert database.tasks.change(record_id, {}, {"failures": Increment()}) is not None


def in_threads(number: int, work: Callable[[int], Any]) -> list[Any]:
    """Run `work` in that many threads, which all begin at once."""
    barrier = threading.Barrier(number)

    def run(index: int) -> Any:
        barrier.wait()
        return work(index)

    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(run, range(number)))


def in_processes(number: int, work: Callable[[int], Any]) -> list[Any]:
    """Run `work` in that many forked processes, which inherit whatever this process has open."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    processes = [context.Process(target=lambda index=index: results.put(work(index))) for index in range(number)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        process.kill()  # only one that hangs is still there
    assert [process.exitcode for process in processes] == [0] * number
    return [results.get() for _ in processes]


@pytest.mark.parametrize("run", [pytest.param(in_threads, id="threads"), pytest.param(in_processes, id="processes")])
class TestConcurrency:
    """Eight threads, or four processes that were forked while the database was open."""

    @pytest.fixture
    def number(self, backend: Backend, run: Any) -> int:
        if backend.name == "mongomock":
            pytest.skip(IN_PROCESSES)
        return 8 if run is in_threads else 4

    def test_every_task_is_claimed_exactly_once(self, database: Database, run: Any, number: int) -> None:
        # given
        for index in range(200):
            database.tasks.insert(task(ready=True, priority=index % 3, created_at=float(index)))
        # when
        claimed = run(number, lambda index: claim_all(database, f"worker-{index}"))
        # then
        assert sum(claimed) == 200
        found = database.tasks.find({})
        assert {(each.state, each.attempt, each.rev) for each in found} == {("running", 1, 2)}
        assert sorted(Counter(each.worker for each in found).values()) == sorted(n for n in claimed if n)

    def test_no_increment_is_lost(self, database: Database, run: Any, number: int) -> None:
        counted = task()
        database.tasks.insert(counted)
        run(number, lambda _: add_all(database, counted.id, 25))
        found = database.tasks.get(counted.id)
        assert found is not None
        assert (found.failures, found.rev) == (25 * number, 25 * number + 1)

    def test_one_of_many_inserts_of_an_id_wins(self, database: Database, run: Any, number: int) -> None:
        ids = [new_id() for _ in range(10)]
        won = run(number, lambda index: [database.tasks.insert(task(id=each, worker=f"{index}")) for each in ids])
        assert [sum(column) for column in zip(*won, strict=True)] == [1] * len(ids)
