"""Requests a minute, refused credentials of an address, quotas of an owner."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediaflow.domain.errors import InsufficientStorage, LimitReached
from mediaflow.persistence.redis.counters import MemoryCounters
from mediaflow.services.requests.rate_limits import RateLimits
from mediaflow.services.upkeep.health import disks
from mediaflow.services.uploads.acceptance import NewUpload
from mediaflow.services.uploads.quotas import Quotas
from tests.services.records import a_published_asset, an_asset
from tests.services.together import at_once
from tests.services.world import World, make_world


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock(600_000_012.0)


def limits(clock: Clock, requests: int = 3, failures: int = 2) -> RateLimits:
    return RateLimits(MemoryCounters(), requests, failures, clock=clock)


# --- rates


def test_a_user_has_so_many_requests_until_the_minute_ends(clock: Clock) -> None:
    rates = limits(clock)
    standings = [rates.request("ann") for _ in range(4)]
    assert [(s.remaining, s.reset_seconds, s.exceeded) for s in standings if s] == [
        (2, 48, False),
        (1, 48, False),
        (0, 48, False),
        (0, 48, True),
    ]
    other = rates.request("bob")
    assert other is not None
    assert other.remaining == 2
    clock.now += 48
    fresh = rates.request("ann")
    assert fresh is not None
    assert (fresh.remaining, fresh.reset_seconds, fresh.exceeded) == (2, 60, False)


def test_no_limit_counts_nothing(clock: Clock) -> None:
    rates = limits(clock, requests=0, failures=0)
    assert rates.request("ann") is None
    assert rates.refused("192.0.2.1", counts=True) is None


def test_any_name_that_an_issuer_allows_can_be_counted(clock: Clock) -> None:
    rates = limits(clock)
    for name in ("\ud800", "a:b", "x" * 200, "Åse Øst"):
        standing = rates.request(name)
        assert standing is not None
        assert standing.used == 1


def test_what_does_not_count_is_told_where_it_stands(clock: Clock) -> None:
    rates = limits(clock, failures=2)
    exceeded = [rates.refused("192.0.2.1", counts=counts) for counts in (False, True, False, True, False)]
    assert [bool(s and s.exceeded) for s in exceeded] == [False, False, False, False, True]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("", "", True),
    ],
)
def test_an_address_is_a_client_and_an_ipv6_client_a_network(clock: Clock, one: str, other: str, same: bool) -> None:
    rates = limits(clock, failures=1)
    rates.refused(one, counts=True)
    standing = rates.refused(other, counts=True)
    assert standing is not None
    assert standing.exceeded is same


# --- quotas


@pytest.fixture
def small(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path / "data", quota_bytes="1000", quota_assets="3")
    yield made
    made.runtime.close()


def upload(size: int) -> NewUpload:
    return NewUpload(filename="clip.mp4", size_bytes=size)


def test_bytes_are_refused_with_figures_and_what_fits_still_fits(small: World) -> None:
    ingest = small.runtime.ingest
    ingest.announce("ann", upload(600))
    with pytest.raises(LimitReached) as caught:
        ingest.announce("ann", upload(401))
    assert caught.value.code == "limit.quota_bytes"
    assert caught.value.facts == {"used": 600, "limit": 1000, "asked": 401}
    assert "600 bytes of at most 1000" in caught.value.detail
    ingest.announce("ann", upload(400))
    ingest.announce("bob", upload(1000))


def test_assets_are_counted(small: World) -> None:
    for _ in range(3):
        small.runtime.ingest.announce("ann", upload(1))
    with pytest.raises(LimitReached) as caught:
        small.runtime.ingest.announce("ann", upload(1))
    assert caught.value.code == "limit.quota_assets"
    assert caught.value.facts == {"used": 3, "limit": 3, "asked": 1}


def test_the_trash_counts_and_an_aborted_upload_does_not(small: World) -> None:
    database, ingest = small.runtime.database, small.runtime.ingest
    database.assets.insert(a_published_asset(size_bytes=900, deleted_at=1.0))
    with pytest.raises(LimitReached):
        ingest.announce("ann", upload(101))
    announced, _ = ingest.announce("ann", upload(100))
    ingest.abort("ann", announced.id)
    ingest.announce("ann", upload(100))


def test_what_is_refused_leaves_nothing_behind(small: World) -> None:
    with pytest.raises(LimitReached):
        small.runtime.ingest.announce("ann", upload(1001))
    assert small.runtime.database.assets.count({}) == 0
    assert small.runtime.database.uploads.count({}) == 0


def test_an_existing_asset_that_answers_is_no_new_one(small: World) -> None:
    database = small.runtime.database
    first, _ = small.runtime.ingest.announce("ann", upload(1000))
    database.assets.change(first.asset_id, {}, {"sha256": "a" * 64, "state": "ready"})
    reuse = NewUpload(filename="again.mp4", size_bytes=1000, sha256="a" * 64, dedup="reuse")
    assert small.runtime.ingest.announce("ann", reuse) == (database.uploads.get(first.id), True)


def test_announcements_at_once_never_exceed_the_quota_and_fill_it(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data", quota_bytes="1000", quota_assets="50")
    refused = []

    def announce() -> None:
        for _ in range(3):
            try:
                world.runtime.ingest.announce("ann", upload(100))
            except LimitReached as error:
                refused.append(error.code)

    at_once(12, announce)
    usage = world.runtime.quotas.usage("ann")
    assert usage.bytes <= 1000
    assert usage.assets == world.runtime.database.uploads.count({}) == 36 - len(refused)
    assert set(refused) == {"limit.quota_bytes"}
    while usage.bytes < 1000:  # those that met may all have stepped back; alone, each fits
        world.runtime.ingest.announce("ann", upload(100))
        usage = world.runtime.quotas.usage("ann")
    world.runtime.close()


def test_without_a_quota_nothing_is_summed(small: World) -> None:
    database = small.runtime.database
    Quotas(database, 0, 0).admit(an_asset(size_bytes=10**15))
    assert database.assets.count({}) == 1


# --- room on the disk


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A directory on another file system, and a small one: the machine's memory."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev:
        pytest.skip("there is no second file system here")
    with tempfile.TemporaryDirectory(dir=memory) as directory:
        yield Path(directory)


def test_room_is_looked_for_where_objects_are_kept(tmp_path: Path, elsewhere: Path) -> None:
    objects, data = shutil.disk_usage(elsewhere).free, shutil.disk_usage(tmp_path).free
    if objects >= data:
        pytest.skip("the other file system has more room")
    keep = str((objects + data) // 2)
    enough = make_world(tmp_path / "one", min_free_bytes=keep)
    enough.runtime.ingest.announce("ann", upload(1))
    full = make_world(tmp_path / "two", min_free_bytes=keep, storage_url=f"local:{elsewhere / 'not' / 'yet'}")
    with pytest.raises(InsufficientStorage):
        full.runtime.ingest.announce("ann", upload(1))
    assert [disk.total_bytes for disk in disks(full.runtime.settings, full.runtime.storage)] == [
        shutil.disk_usage(tmp_path).total,
        shutil.disk_usage(elsewhere).total,
    ]
    for world in (enough, full):
        world.runtime.close()
