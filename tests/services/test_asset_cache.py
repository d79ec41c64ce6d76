"""Reading through a cache: fresh facts decide, the newest body is given, and what the cache does harms nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mediaflow.domain.errors import NotFound, Unavailable
from mediaflow.domain.ids import new_id
from mediaflow.domain.records import Asset
from mediaflow.observability.core_metrics import CORE_METRICS
from mediaflow.persistence import open_database
from mediaflow.services.access.permissions import readable
from mediaflow.services.access.principals import Principal
from mediaflow.services.assets.asset_cache import OUTCOMES, AssetReader
from mediaflow.services.ports import Database, Increment
from tests.services.records import a_published_asset

ANN, BOB = Principal("ann", "user"), Principal("bob", "user")


@dataclass
class Shelf:
    """Bodies in a dictionary. `broken` answers nothing."""

    kept: dict[tuple[str, int], Asset] = field(default_factory=dict)
    broken: bool = False

    def get(self, asset_id: str, rev: int) -> Asset | None:
        if self.broken:
            raise Unavailable("broken")
        return self.kept.get((asset_id, rev))

    def put(self, asset: Asset, seconds: int) -> None:
        if not self.broken:
            self.kept[asset.id, asset.rev] = asset


@dataclass
class Counted:
    """Metrics that a test can read."""

    counts: Counter[str] = field(default_factory=Counter)

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        assert name == "mediaflow_asset_cache_total"
        self.counts[labels["outcome"]] += int(amount)

    def observe(self, name: str, value: float, **labels: str) -> None:
        raise AssertionError(name)


@dataclass
class Reading:
    database: Database
    shelf: Shelf
    metrics: Counted
    reader: AssetReader

    def published(self, **fields: Any) -> Asset:
        asset = a_published_asset(**fields)
        self.database.assets.insert(asset)
        return asset

    def read(self, principal: Principal, asset_id: str) -> Asset:
        return self.reader.read(asset_id, partial(readable, principal))

    def changed(self, asset: Asset, **changes: Any) -> Asset:
        found = self.database.assets.change(asset.id, {}, changes)
        assert found is not None
        return found


@pytest.fixture
def reading(tmp_path: Path) -> Iterator[Reading]:
    database, shelf, metrics = open_database(f"sqlite:{tmp_path / 'test.db'}"), Shelf(), Counted()
    yield Reading(database, shelf, metrics, AssetReader(database, metrics, shelf, 300))
    database.close()


def test_the_second_look_comes_from_the_cache(reading: Reading) -> None:
    asset = reading.published()
    assert [reading.read(ANN, asset.id) for _ in range(3)] == [asset] * 3
    assert reading.metrics.counts == {"miss": 1, "hit": 2}


def test_a_change_is_seen_at_once(reading: Reading) -> None:
    asset = reading.published()
    reading.read(ANN, asset.id)
    changed = reading.changed(asset, title="New")
    assert reading.read(ANN, asset.id) == changed


@pytest.mark.parametrize(
    "change",
    [
        {"deleted_at": 1.0},
        {"shared_with": []},
        {"owner": "zoe", "shared_with": []},
        {"purging": True, "deleted_at": 1.0},
    ],
)
def test_who_may_no_longer_see_it_gets_nothing_though_it_is_cached(reading: Reading, change: dict[str, Any]) -> None:
    asset = reading.published(shared_with=["bob"])
    assert reading.read(BOB, asset.id) == asset
    reading.changed(asset, **change)
    with pytest.raises(NotFound):
        reading.read(BOB, asset.id)


def test_a_body_for_somebody_else_is_no_permission(reading: Reading) -> None:
    asset = reading.published()
    reading.read(ANN, asset.id)
    with pytest.raises(NotFound):
        reading.read(BOB, asset.id)


def test_what_is_not_there_is_not_found(reading: Reading) -> None:
    with pytest.raises(NotFound):
        reading.read(ANN, new_id())
    assert not reading.shelf.kept


@pytest.mark.parametrize(
    "change",
    [{"owner": "bob"}, {"visibility": "public"}, {"deleted_at": 1.0}, {"acl_epoch": 9}, {"shared_with": ["bob"]}],
)
def test_a_body_that_contradicts_the_facts_is_none(reading: Reading, change: dict[str, Any]) -> None:
    """A database that was put back in time has the same revisions again, with other contents."""
    asset = reading.published()
    reading.shelf.kept[asset.id, asset.rev] = replace(asset, title="From a lost time", **change)
    assert reading.read(ANN, asset.id) == asset
    assert reading.metrics.counts == {"miss": 1}
    assert reading.shelf.kept[asset.id, asset.rev] == asset


def test_a_document_that_changes_between_two_looks_is_decided_upon_again(reading: Reading) -> None:
    """Bob's share is taken back after the facts were read, and before the document is."""
    asset = reading.published(shared_with=["bob"])
    decisions: list[list[str]] = []

    def decide(found: Any) -> None:
        decisions.append(found.shared_with)
        readable(BOB, found)
        reading.database.assets.change(asset.id, {}, {"shared_with": [], "acl_epoch": Increment()})

    with pytest.raises(NotFound):
        reading.reader.read(asset.id, decide)
    assert decisions == [["bob"], []]
    assert not reading.shelf.kept


def test_a_cache_that_does_not_answer_is_done_without(reading: Reading) -> None:
    asset = reading.published()
    reading.shelf.broken = True
    assert reading.read(ANN, asset.id) == asset
    assert reading.metrics.counts == {"error": 1}


def test_zero_seconds_or_no_cache_use_none(reading: Reading) -> None:
    asset = reading.published()
    for reader in (AssetReader(reading.database), AssetReader(reading.database, reading.metrics, reading.shelf, 0)):
        assert reader.read(asset.id, partial(readable, ANN)) == asset
    assert not reading.shelf.kept
    assert not reading.metrics.counts


def test_each_outcome_is_declared() -> None:
    declared = next(spec for spec in CORE_METRICS if spec.name == "mediaflow_asset_cache_total")
    assert declared.initial == tuple((outcome,) for outcome in OUTCOMES)


class Readers(RuleBasedStateMachine):
    """Two processes over one database and one cache; every look is what the document says now."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.directory = tempfile.TemporaryDirectory()
        self.database = open_database(f"sqlite:{self.directory.name}/test.db")
        self.shelf = Shelf()
        self.readers = [AssetReader(self.database, Counted(), self.shelf, 300) for _ in range(2)]
        self.asset = a_published_asset(shared_with=["bob"])
        self.database.assets.insert(self.asset)

    def _change(self, **changes: Any) -> None:
        found = self.database.assets.change(self.asset.id, {}, changes)
        assert found is not None
        self.asset = found

    @rule(title=st.sampled_from(["One", "Two"]))
    def retitle(self, title: str) -> None:
        self._change(title=title)

    @rule(visibility=st.sampled_from(["private", "public"]))
    def show(self, visibility: str) -> None:
        self._change(visibility=visibility, acl_epoch=Increment())

    @rule(shared=st.booleans())
    def share(self, shared: bool) -> None:
        self._change(shared_with=["bob"] if shared else [], acl_epoch=Increment())

    @rule(deleted=st.booleans())
    def delete(self, deleted: bool) -> None:
        self._change(deleted_at=1.0 if deleted else None, acl_epoch=Increment())

    @rule(broken=st.booleans())
    def break_cache(self, broken: bool) -> None:
        self.shelf.broken = broken

    @rule()
    def wipe_cache(self) -> None:
        self.shelf.kept.clear()

    @invariant()
    def everybody_sees_what_is_so_now(self) -> None:
        for reader in self.readers:
            for principal, may in ((ANN, True), (BOB, "bob" in self.asset.shared_with)):
                if may and self.asset.deleted_at is None:
                    assert reader.read(self.asset.id, partial(readable, principal)) == self.asset
                else:
                    with pytest.raises(NotFound):
                        reader.read(self.asset.id, partial(readable, principal))

    def teardown(self) -> None:
        self.database.close()
        self.directory.cleanup()


TestReaders = Readers.TestCase
TestReaders.settings = settings(max_examples=30, stateful_step_count=15, deadline=None)
