"""Originals that assets share: nobody loses one that they use, and nobody's last one stays."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mediaflow.domain import keys
from mediaflow.domain.errors import LeaseLost
from mediaflow.domain.records import Asset
from mediaflow.plugin import Storage
from mediaflow.services.ports import Database
from mediaflow.services.uploads.blobs import Blobs
from tests.services.records import an_asset
from tests.services.turns import Actor, Stepped, interleave
from tests.services.world import World

SHA256 = "ab" * 32
OWNERS = itertools.count()


@dataclass
class Shelf:
    """One owner's originals of the same bytes."""

    database: Database
    storage: Storage
    owner: str = field(default_factory=lambda: f"owner{next(OWNERS)}")
    using: dict[str, str] = field(default_factory=dict)
    """The key of each asset that relies on its original, and was not purged."""

    @property
    def blobs(self) -> Blobs:
        return Blobs(self.database, self.storage)

    def asset(self, **fields: Any) -> Asset:
        """An asset whose bytes have just arrived."""
        asset = an_asset(owner=self.owner, size_bytes=5, **fields)
        self.database.assets.insert(asset)
        return asset

    def older(self) -> Asset:
        """An asset that was stored before there were blobs."""
        key = keys.original_key(self.owner, SHA256)
        self.storage.put(key, [b"bytes"], size_bytes=5, content_type="text/plain")
        asset = self.asset(state="ready", sha256=SHA256, original_key=key)
        self.using[asset.id] = key
        return asset

    def store(self, asset: Asset, turn: Callable[[], None] = lambda: None) -> Asset:
        """What assembling does: link, put the bytes there when they are missing, tell the asset."""
        database, storage = Stepped(self.database, turn), Stepped(self.storage, turn)
        key = Blobs(database, storage).link(self.owner, SHA256, asset.id, 5)
        if storage.stat(key) is None:
            storage.put(key, [b"bytes"], size_bytes=5, content_type="text/plain")
        changes = {"state": "stored", "sha256": SHA256, "original_key": key}
        stored = self.database.assets.change(asset.id, {"purging": False}, changes)
        assert stored is not None
        self.using[asset.id] = key
        return stored

    def purge(self, asset_id: str, turn: Callable[[], None] = lambda: None) -> None:
        """What purging does with the original."""
        database, storage = Stepped(self.database, turn), Stepped(self.storage, turn)
        taken = database.assets.change(asset_id, {}, {"purging": True})
        self.using.pop(asset_id, None)
        if taken is not None:
            Blobs(database, storage).unlink(taken)
            database.assets.remove(asset_id)

    def check(self) -> None:
        """Everybody who relies on an original has it."""
        for asset_id, key in self.using.items():
            assert self.storage.stat(key) is not None, f"{asset_id} has lost its original"

    def originals(self) -> list[str]:
        return [info.key for info in self.storage.list(keys.original_key(self.owner, ""))]


@pytest.fixture
def shelf(world: World) -> Shelf:
    return Shelf(world.runtime.database, world.runtime.storage)


def test_the_last_user_takes_the_bytes_along(shelf: Shelf) -> None:
    first, second = shelf.store(shelf.asset()), shelf.store(shelf.asset())
    assert first.original_key == second.original_key
    assert len(shelf.originals()) == 1
    shelf.purge(first.id)
    assert len(shelf.originals()) == 1
    shelf.purge(second.id)
    assert shelf.originals() == []
    assert shelf.database.blobs.count({}) == 0


def test_linking_again_changes_nothing(shelf: Shelf) -> None:
    asset = shelf.asset()
    assert len({shelf.store(asset).original_key for _ in range(3)}) == 1
    assert [blob.assets for blob in shelf.database.blobs.find({})] == [[asset.id]]


def test_of_assets_older_than_blobs_none_loses_the_original_that_they_share(shelf: Shelf) -> None:
    first, second = shelf.older(), shelf.older()
    shelf.purge(first.id)
    shelf.check()
    third = shelf.store(shelf.asset())
    assert third.original_key == second.original_key
    shelf.purge(second.id)
    shelf.check()
    shelf.purge(third.id)
    assert (shelf.originals(), shelf.database.blobs.count({})) == ([], 0)


def test_bytes_that_come_back_get_another_key(shelf: Shelf) -> None:
    """So that a deletion of the first life that comes late can't hit the second."""
    first = shelf.store(shelf.asset())
    shelf.purge(first.id)
    again = shelf.store(shelf.asset())
    assert again.original_key != first.original_key
    shelf.blobs.unlink(first)
    shelf.check()


def test_one_asset_gives_no_key_a_second_life(shelf: Shelf) -> None:
    """It stood still while it was linked, through its purge: the deletion that is still under way is of another key."""
    asset = shelf.asset()
    keys_of_its_lives = []
    for _ in range(2):
        keys_of_its_lives.append(shelf.blobs.link(shelf.owner, SHA256, asset.id, 5))
        (blob,) = shelf.database.blobs.find({})
        shelf.database.blobs.remove(blob.id)  # what the end of a purge does
        time.sleep(0.002)  # lives are told apart by the millisecond, and a purge takes longer
    assert len(set(keys_of_its_lives)) == 2


def test_a_purged_asset_can_not_be_linked(shelf: Shelf) -> None:
    asset = shelf.asset()
    shelf.purge(asset.id)
    with pytest.raises(LeaseLost):
        shelf.blobs.link(shelf.owner, SHA256, asset.id, 5)
    assert (shelf.originals(), shelf.database.blobs.count({})) == ([], 0)


def interleaved(shelf: Shelf, older: int, stored: int, purged: list[int], uploads: int, order: list[int]) -> None:
    """Purges (of one asset twice, too) and uploads of the same bytes, in this order of their steps."""
    there = [*(shelf.older() for _ in range(older)), *(shelf.store(shelf.asset()) for _ in range(stored))]
    going = [there[number % len(there)].id for number in purged] if there else []
    coming = [shelf.asset() for _ in range(uploads)]
    acts: list[Callable[[Callable[[], None]], object]] = [
        *(lambda turn, asset_id=asset_id: shelf.purge(asset_id, turn) for asset_id in going),
        *(lambda turn, asset=asset: shelf.store(asset, turn) for asset in coming),
    ]
    interleave([Actor(act) for act in acts], order, shelf.check)
    assert len(shelf.using) == len(there) - len(set(going)) + len(coming)
    for asset_id in list(shelf.using):
        shelf.purge(asset_id)
    assert shelf.originals() == []
    assert [blob for blob in shelf.database.blobs.find({}) if blob.owner == shelf.owner] == []


def tell(world: World, stories: int) -> None:
    """Look for an order in which something goes wrong."""

    @given(
        older=st.integers(0, 2),
        stored=st.integers(0, 2),
        purged=st.lists(st.integers(0, 3), min_size=1, max_size=3),
        uploads=st.integers(1, 2),
        order=st.lists(st.integers(0, 4), max_size=60),
    )
    @settings(max_examples=stories, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def story(**facts: Any) -> None:
        interleaved(Shelf(world.runtime.database, world.runtime.storage), **facts)

    story()


def test_purges_and_uploads_of_the_same_bytes_do_not_race(world: World) -> None:
    tell(world, 60)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_purges_and_uploads_of_the_same_bytes_do_not_race_in_thousands_of_orders(world: World) -> None:
    tell(world, 1000)
