"""The contract of `mediaflow.plugin.Records` on every database."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mediaflow.plugin import ConfigurationError, MediaContext, Record, Records
from mediaflow.services.plugin_records import LARGEST_BYTES, PluginRecords
from mediaflow.services.ports import Database
from mediaflow.testing.records import MemoryRecords


def ids(found: Any) -> list[str]:
    return [record.id for record in found]


class Contract:
    """What holds for those of the service, and for those that plugins' tests use."""

    def test_a_record_comes_back_as_it_was_and_is_kept_once(self, records: Records) -> None:
        data = {"url": "https://example.org/ä", "": {"a.b": [1, 2.5, None, True], "$x": {}}}
        record = Record(id="a/b c", kind="endpoint", owner="ann", subject="s", state="on", due_at=5.5, data=data)
        assert records.insert(record)
        kept = records.get("a/b c")
        assert kept is not None
        assert kept.created_at > 1e9
        assert kept == Record(
            **{name: getattr(record, name) for name in Record.__slots__} | {"created_at": kept.created_at}
        )
        assert not records.insert(Record(id="a/b c", kind="other"))
        assert records.get("a/b c") == kept
        assert records.get("A/b c") is None

    def test_changes_compare_revision_and_state(self, records: Records) -> None:
        records.insert(Record(id="x", kind="k", state="waiting", due_at=1.0, data={"a": 1}))
        changed = records.change("x", {"state": "sent", "due_at": None, "data": {"b": 2}}, rev=1, state="waiting")
        assert changed is not None
        assert (changed.state, changed.due_at, changed.data, changed.rev) == ("sent", None, {"b": 2}, 2)
        assert records.change("x", {"state": "lost"}, rev=1) is None
        assert records.change("x", {"state": "lost"}, state="waiting") is None
        assert records.get("x") == changed
        assert not records.remove("x", rev=1)
        assert records.remove("x", rev=2)
        assert not records.remove("x")

    def test_they_are_found_by_what_they_have(self, records: Records) -> None:
        rows: list[tuple[str, str, str, str, str, float | None]] = [
            ("a", "delivery", "ann", "e1", "waiting", 3.0),
            ("b", "delivery", "ann", "e2", "waiting", 1.0),
            ("c", "delivery", "bob", "e1", "sent", None),
            ("d", "delivery", "bob", "e3", "failed", 2.0),
            ("e", "endpoint", "ann", "", "", 0.5),
        ]
        for key, kind, owner, subject, state, due_at in rows:
            records.insert(Record(id=key, kind=kind, owner=owner, subject=subject, state=state, due_at=due_at))
        table: list[tuple[dict[str, Any], str]] = [
            ({}, "abcd"),
            ({"owner": "ann"}, "ab"),
            ({"subject": "e1"}, "ac"),
            ({"subject": "e1", "newest_first": True}, "ca"),
            ({"state": "waiting"}, "ab"),
            ({"owner": "bob", "state": "sent"}, "c"),
            ({"due_before": 2.5}, "bd"),
            ({"due_before": 9.0}, "bda"),
            ({"due_before": 9.0, "state": "waiting"}, "ba"),
            ({"newest_first": True, "skip": 1, "limit": 2}, "cb"),
            ({"owner": "nobody"}, ""),
        ]
        for asked, expected in table:
            assert ids(records.find("delivery", **asked)) == list(expected), asked
        assert ids(records.find("nothing")) == []
        assert [records.count("delivery", **asked) for asked, _ in table[:3]] == [4, 2, 2]
        assert (records.count("delivery", owner="ann", state="sent"), records.count("nothing")) == (0, 0)


class TestInDatabases(Contract):
    @pytest.fixture
    def records(self, database: Database) -> Records:
        return PluginRecords(database, "mine")


class TestInMemory(Contract):
    @pytest.fixture
    def records(self) -> Records:
        return MemoryRecords()


def test_no_plugin_sees_anothers(database: Database) -> None:
    mine, others = PluginRecords(database, "mine"), PluginRecords(database, "others")
    assert mine.insert(Record(id="x", kind="k"))
    assert others.insert(Record(id="x", kind="k", state="theirs"))
    assert others.insert(Record(id="y", kind="k"))
    assert (ids(mine.find("k")), ids(others.find("k", state="theirs"))) == (["x"], ["x"])
    assert mine.get("y") is None
    assert mine.change("y", {"state": "stolen"}) is None
    assert not mine.remove("y")
    assert mine.remove("x")
    assert others.get("x") is not None


@pytest.mark.parametrize(
    ("given", "changes", "error"),
    [
        ({"kind": "Two Words"}, {}, ValueError),
        ({"data": {"x": object()}}, {}, TypeError),
        ({"data": {"x": float("nan")}}, {}, ValueError),
        ({"data": {"x": "y" * LARGEST_BYTES}}, {}, ValueError),
        ({"state": "s" * 501}, {}, ValueError),
        ({"owner": None}, {}, TypeError),
        ({}, {"kind": "other"}, ValueError),
        ({}, {"created_at": 1.0}, ValueError),
        ({}, {"due_at": "soon"}, TypeError),
    ],
)
def test_what_no_record_can_have_is_an_error(
    database: Database, given: dict[str, Any], changes: dict[str, Any], error: type[Exception]
) -> None:
    records = PluginRecords(database, "mine")
    records.insert(Record(id="there", kind="k"))
    before = records.get("there")
    with pytest.raises(error):
        records.change("there", changes) if changes else records.insert(Record(**{"id": "x", "kind": "k"} | given))
    assert (records.get("x"), records.get("there")) == (None, before)


def test_where_there_is_no_database_it_is_said() -> None:
    context = MediaContext({})
    for asked in (lambda: context.records.find("k"), lambda: context.events.last()):
        with pytest.raises(ConfigurationError, match="needs a database, which web server, workers and commands have"):
            asked()
    assert copy.deepcopy(context) == context
