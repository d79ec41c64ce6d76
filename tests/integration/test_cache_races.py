"""No stale answer from the cache of assets: changes against looks, through two web processes and a real Redis."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest
import structlog
from redis import Redis

from mediaflow.domain.ids import new_id
from mediaflow.domain.records import Asset
from mediaflow.persistence.redis.cache import dumped, key_of
from mediaflow.services.assets.asset_cache import AssetReader
from mediaflow.services.assets.library import Library
from tests.contracts.nxserver import running_nx_server
from tests.integration.towns import Town, hits, two_processes, two_runtimes
from tests.persistence.redis_server import RedisServer, running_redis


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """A line for each of 100,000 requests would be most of the work."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    yield
    structlog.reset_defaults()


@pytest.fixture
def redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    # so that it is asked again soon after it was away
    monkeypatch.setattr("mediaflow.persistence.redis.connection.REST_SECONDS", 0.02)
    with running_redis(tmp_path) as started:
        yield started


MANY = pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])


@pytest.mark.parametrize("changes", [200, MANY])
def test_no_look_that_begins_after_a_change_shows_what_was_before(
    tmp_path: Path, redis: RedisServer, changes: int
) -> None:
    with two_runtimes(tmp_path, redis.url) as (town, worlds):
        ledger = town.race(changes)
        assert ledger.wrong == []
        assert ledger.seen["overlapping"] > changes / 10
        assert hits(worlds)["hit"] > 0


@pytest.mark.parametrize("changes", [80, pytest.param(2_000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def test_nor_with_poison_in_the_cache(tmp_path: Path, redis: RedisServer, changes: int) -> None:
    with (
        two_runtimes(tmp_path, redis.url) as (town, _),
        _meanwhile(partial(_poison, town, redis.url)) as poisoned,
    ):
        assert town.race(changes).wrong == []
    assert poisoned() > changes / 10


@pytest.mark.parametrize("changes", [80, pytest.param(2_000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def test_nor_while_redis_comes_and_goes(tmp_path: Path, redis: RedisServer, changes: int) -> None:
    with two_runtimes(tmp_path, redis.url) as (town, worlds):
        with _meanwhile(partial(_kill_and_hang, redis)) as deaths:
            assert town.race(changes).wrong == []
        counted = hits(worlds)
    assert deaths() > 0
    assert counted["hit"] > 0
    assert counted["error"] > 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_nor_over_mongodb_wire_protocol(tmp_path: Path, redis: RedisServer) -> None:
    (tmp_path / "nx").mkdir()
    with (
        running_nx_server(tmp_path / "nx") as address,
        two_runtimes(tmp_path, redis.url, database_url=f"mongodb://{address}/races") as (town, worlds),
    ):
        assert town.race(1_000, readers=3).wrong == []
        assert hits(worlds)["hit"] > 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_nor_through_processes_of_their_own(tmp_path: Path, redis: RedisServer) -> None:
    with two_processes(tmp_path, redis.url) as town:
        assert town.race(3_000, readers=3).wrong == []
    # both have kept bodies
    with Redis.from_url(redis.url) as client:
        assert client.dbsize() > 0


@contextmanager
def _meanwhile(trouble: Callable[[threading.Event], int]) -> Iterator[Callable[[], int]]:
    """Make trouble in a thread until the block ends; the answer tells how much there was, once it did."""
    done, counts = threading.Event(), list[int]()
    thread = threading.Thread(target=lambda: counts.append(trouble(done)))
    thread.start()
    try:
        yield lambda: sum(counts)
    finally:
        done.set()
        thread.join()


def _poison(town: Town, url: str, done: threading.Event) -> int:
    """Puts garbage and other assets' bodies where the next bodies will be looked for."""
    count = 0
    with Redis.from_url(url) as client:
        while not done.is_set():
            for subject in town.subjects:
                asset = town.database.assets.get(subject.id)
                assert asset is not None
                other = replace(asset, id=new_id(), owner="ann", title="Poison", visibility="public", deleted_at=None)
                older = replace(asset, title="Poison", visibility="public", deleted_at=None)
                for rev in range(asset.rev, asset.rev + 3):
                    for value in (b"{", dumped(other), dumped(replace(other, rev=rev)), dumped(older)[:-1]):
                        client.set(key_of(asset.id, rev), value, ex=60)
                        count += 1
            time.sleep(0.002)
    return count


def _kill_and_hang(server: RedisServer, done: threading.Event) -> int:
    """Kills Redis and starts it again, lets it hang and go on, at any moment."""
    deaths = 0
    while not done.wait(0.3):
        server.kill()
        done.wait(0.1)
        server.start()
        deaths += 1
        done.wait(0.3)
        server.hang()
        done.wait(0.05)
        server.go_on()
    return deaths


@dataclass
class ById:
    """A cache that is keyed by the id alone, and says that what it has is what was asked for."""

    kept: dict[str, Asset] = field(default_factory=dict)

    def get(self, asset_id: str, rev: int) -> Asset | None:
        found = self.kept.get(asset_id)
        return replace(found, rev=rev) if found else None

    def put(self, asset: Asset, seconds: int) -> None:
        self.kept[asset.id] = asset


def test_a_stale_answer_would_be_seen(tmp_path: Path, redis: RedisServer) -> None:
    wrong = ById()
    with two_runtimes(tmp_path, redis.url) as (town, worlds):
        for world in worlds:
            world.runtime.library = Library(
                world.runtime.database, AssetReader(world.runtime.database, None, wrong, 300)
            )
        stale = town.race(60).wrong
    assert stale
    assert all("Title " in story for story in stale), "who may see it is decided on fresh facts even then"
