"""No stale answer from the cache of assets: changes against looks, through two web processes and a real Redis."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import structlog
from flask import Flask
from redis import Redis

from mediaflow.app import create_app
from mediaflow.domain.ids import new_id
from mediaflow.domain.records import Asset
from mediaflow.persistence import open_database
from mediaflow.persistence.redis.cache import dumped, key_of
from mediaflow.services.asset_cache import AssetReader
from mediaflow.services.library import Library
from mediaflow.services.ports import Database
from tests.api.server import KEY, clean_environ, free_port, gunicorn_command, running
from tests.api.site import Site
from tests.contracts.nxserver import running_nx_server
from tests.integration.published import publish
from tests.integration.races import Door, Ledger, State, Subject, race
from tests.persistence.redis_server import RedisServer, running_redis
from tests.services.world import World, make_world

SUBJECTS = 3
READERS = 5


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


@dataclass
class InProcess:
    """A door into an application of this process."""

    app: Flask
    tokens: dict[str, str]

    def __post_init__(self) -> None:
        self._client = self.app.test_client(use_cookies=False)

    def call(
        self, method: str, path: str, user: str | None = None, document: dict[str, Any] | None = None
    ) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.tokens[user]}"} if user else {}
        answer = self._client.open(path, method=method, headers=headers, json=document)
        return answer.status_code, answer.get_json() if answer.is_json else None


@dataclass
class OverHttp:
    """A door into a process of its own."""

    url: str
    tokens: dict[str, str]

    def __post_init__(self) -> None:
        self._session = requests.Session()

    def call(
        self, method: str, path: str, user: str | None = None, document: dict[str, Any] | None = None
    ) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.tokens[user]}"} if user else {}
        answer = self._session.request(method, self.url + path, headers=headers, json=document, timeout=60)
        is_json = answer.headers.get("Content-Type") == "application/json"
        return answer.status_code, answer.json() if is_json else None


@dataclass
class Town:
    """Two web processes over one database and one Redis, with assets that are looked at."""

    doors: Callable[[], Sequence[Door]]
    database: Database
    subjects: list[Subject]

    def race(self, changes: int, *, readers: int = READERS) -> Ledger:
        began = time.monotonic()
        ledger = race(self.subjects, self.doors, changes=changes, readers=readers, seed=changes)
        looks = sum(ledger.seen[kind] for kind in ("owner", "friend", "stranger", "owner_plays", "stream"))
        print(
            f"{changes} changes, {looks} looks, {ledger.seen['overlapping']} of them during a change, "
            f"{len(ledger.wrong)} stale, {time.monotonic() - began:.1f} s"
        )
        return ledger


def _subject(asset_id: str) -> Subject:
    return Subject(asset_id, [State("A clip", "private", deleted=False, shared=False)])


@contextmanager
def two_runtimes(directory: Path, redis_url: str, **settings: str) -> Iterator[tuple[Town, list[World]]]:
    """Two runtimes of this process: their threads change places at any instruction."""
    common = {"redis_url": redis_url, "asset_cache_seconds": "300", "rate_limit_per_minute": "0"} | settings
    worlds = [make_world(directory / "data", **common) for _ in range(2)]
    apps = [create_app(world.runtime.settings, world.runtime) for world in worlds]
    site = Site(worlds[0], apps[0].test_client(use_cookies=False))
    tokens = {user: site.as_user(user).token or "" for user in ("ann", "bob")}
    subjects = [_subject(site.published().id) for _ in range(SUBJECTS)]
    doors = partial(_in_process, apps, tokens)
    yield Town(doors, worlds[0].runtime.database, subjects), worlds
    for world in worlds:
        world.runtime.close()


def _in_process(apps: list[Flask], tokens: dict[str, str]) -> list[Door]:
    return [InProcess(app, tokens) for app in apps]


def hits(worlds: list[World]) -> dict[str, float]:
    """The outcomes of looks into the cache, of all processes."""
    counted: dict[str, float] = {}
    for outcome in ("hit", "miss", "error"):
        samples = [
            world.runtime.metrics.registry.get_sample_value("mediaflow_asset_cache_total", {"outcome": outcome})  # type: ignore[attr-defined]
            for world in worlds
        ]
        counted[outcome] = sum(sample or 0 for sample in samples)
    print(counted)
    return counted


MANY = pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])


@pytest.mark.parametrize("changes", [200, MANY])
def test_no_look_that_begins_after_a_change_shows_what_was_before(
    tmp_path: Path, redis: RedisServer, changes: int
) -> None:
    with two_runtimes(tmp_path, redis.url) as (town, worlds):
        ledger = town.race(changes)
        assert ledger.wrong == []
        assert ledger.seen["overlapping"] > changes / 10
        assert hits(worlds)["hit"] > 0


@pytest.mark.parametrize("changes", [80, pytest.param(2_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_nor_with_poison_in_the_cache(tmp_path: Path, redis: RedisServer, changes: int) -> None:
    with two_runtimes(tmp_path, redis.url) as (town, _), _poisoner(town, redis.url) as poisoned:
        assert town.race(changes).wrong == []
    assert poisoned() > changes / 10


@pytest.mark.parametrize("changes", [80, pytest.param(2_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_nor_while_redis_comes_and_goes(tmp_path: Path, redis: RedisServer, changes: int) -> None:
    with two_runtimes(tmp_path, redis.url) as (town, worlds):
        with _troublemaker(redis) as deaths:
            assert town.race(changes).wrong == []
        counted = hits(worlds)
    assert deaths() > 0
    assert counted["hit"] > 0
    assert counted["error"] > 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_nor_over_mongodb_wire_protocol(tmp_path: Path, redis: RedisServer) -> None:
    (tmp_path / "nx").mkdir()
    with (
        running_nx_server(tmp_path / "nx") as address,
        two_runtimes(tmp_path, redis.url, database_url=f"mongodb://{address}/races") as (town, worlds),
    ):
        assert town.race(1_000, readers=3).wrong == []
        assert hits(worlds)["hit"] > 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_nor_through_processes_of_their_own(tmp_path: Path, redis: RedisServer) -> None:
    with two_processes(tmp_path, redis.url) as town:
        assert town.race(3_000, readers=3).wrong == []
    # both have kept bodies
    with Redis.from_url(redis.url) as client:
        assert client.dbsize() > 0


@contextmanager
def two_processes(directory: Path, redis_url: str) -> Iterator[Town]:
    data, ports = directory / "data", [free_port(), free_port()]
    common = {
        "data_dir": str(data),
        "redis_url": redis_url,
        "jwt_key": KEY,
        "metrics_bind": "off",
        "min_free_bytes": "0",
        "log_level": "error",
        "asset_cache_seconds": "300",
        "rate_limit_per_minute": "0",
    }
    with ExitStack() as stack:
        for port in ports:
            environ = clean_environ(**common, port=str(port))
            stack.enter_context(running(gunicorn_command(), directory / f"web{port}.log", environ))
        for port in ports:
            _wait_for(f"http://127.0.0.1:{port}/readyz")
        tokens = _tokens(directory, common)
        subjects = [_subject(publish(data).asset.id) for _ in range(SUBJECTS)]
        database = open_database(f"sqlite:{data / 'mediaflow.db'}")
        stack.callback(database.close)
        yield Town(
            lambda: [OverHttp(f"http://127.0.0.1:{port}", tokens) for port in ports],
            database,
            subjects,
        )


def _tokens(directory: Path, common: dict[str, str]) -> dict[str, str]:
    world = make_world(directory / "tokens", jwt_key=common["jwt_key"])
    tokens = {user: world.runtime.tokens.mint(user, "user", 3600) for user in ("ann", "bob")}
    world.runtime.close()
    return tokens


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 40
    while True:
        try:
            if requests.get(url, timeout=5).status_code == 200:
                return
        except requests.RequestException:
            pass
        assert time.monotonic() < deadline, url
        time.sleep(0.1)


@contextmanager
def _poisoner(town: Town, url: str) -> Iterator[Callable[[], int]]:
    """Puts garbage and other assets' bodies where the next bodies will be looked for."""
    done, count = threading.Event(), 0

    def poison() -> None:
        nonlocal count
        client = Redis.from_url(url)
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
        client.close()

    thread = threading.Thread(target=poison)
    thread.start()
    try:
        yield lambda: count
    finally:
        done.set()
        thread.join()


@contextmanager
def _troublemaker(server: RedisServer) -> Iterator[Callable[[], int]]:
    """Kills Redis and starts it again, lets it hang and go on, at any moment."""
    done, deaths = threading.Event(), 0

    def trouble() -> None:
        nonlocal deaths
        while not done.wait(0.3):
            server.kill()
            done.wait(0.1)
            server.start()
            deaths += 1
            done.wait(0.3)
            server.hang()
            done.wait(0.05)
            server.go_on()

    thread = threading.Thread(target=trouble)
    thread.start()
    try:
        yield lambda: deaths
    finally:
        done.set()
        thread.join()


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
