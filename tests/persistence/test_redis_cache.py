"""Bodies of assets in a real Redis: what comes back, what is refused, and what a Redis that is away costs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from mediaflow.domain.errors import Unavailable
from mediaflow.domain.ids import new_id
from mediaflow.domain.records import Asset
from mediaflow.persistence.redis.cache import LARGEST_BYTES, RedisAssetBodies, dumped, key_of
from mediaflow.persistence.redis.connection import open_redis
from tests.persistence.redis_server import RedisServer, running_redis
from tests.services.records import a_published_asset


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path) as started:
        yield started


@pytest.fixture
def bodies(server: RedisServer) -> Iterator[RedisAssetBodies]:
    connection = open_redis(server.url)
    assert connection is not None
    yield RedisAssetBodies(connection)
    connection.close()


@pytest.fixture
def raw(server: RedisServer) -> Iterator[Redis]:
    client = Redis.from_url(server.url)
    yield client
    client.close()


def test_a_body_comes_back_as_it_was(bodies: RedisAssetBodies, raw: Redis) -> None:
    asset = a_published_asset(title="Größe ☃", tags=["a"], shared_with=["bob"], media={"streams": [{"index": 0}]})
    bodies.put(asset, 60)
    assert bodies.get(asset.id, asset.rev) == asset
    assert 0 < int(raw.ttl(key_of(asset.id, asset.rev))) <= 60


def test_other_revisions_and_other_assets_are_not_there(bodies: RedisAssetBodies) -> None:
    asset = a_published_asset(rev=3)
    bodies.put(asset, 60)
    for asset_id, rev in ((asset.id, 2), (asset.id, 4), (new_id(), 3)):
        assert bodies.get(asset_id, rev) is None


def _with(**changes: Any) -> Callable[[Asset], bytes]:
    return lambda asset: json.dumps(json.loads(dumped(asset)) | changes).encode()


POISON: dict[str, Callable[[Asset], bytes]] = {
    "nothing": lambda asset: b"",
    "garbage": lambda asset: bytes(range(256)),
    "half": lambda asset: dumped(asset)[:-20],
    "another asset": lambda asset: dumped(replace(asset, id=new_id())),
    "another revision": lambda asset: dumped(replace(asset, rev=asset.rev + 1)),
    "a list": lambda asset: b"[1, 2]",
    "a number": lambda asset: b"7",
    "no members": lambda asset: b"{}",
    "a member too many": _with(evil=True),
    "a wrong type": _with(title=7),
    "null where none may be": _with(owner=None),
    "an unknown visibility": _with(visibility="everybody"),
    "an infinite number": lambda asset: dumped(asset).replace(b'"duration_seconds":30.7', b'"duration_seconds":1e999'),
    "a number that is too large": _with(created_at=10**400),
    "too many digits": lambda asset: b'{"id":' + b"9" * 5000 + b"}",
    "nested for ever": lambda asset: b"[" * 200_000,
}


@pytest.mark.parametrize("name", POISON)
def test_what_is_no_body_of_that_revision_is_none(bodies: RedisAssetBodies, raw: Redis, name: str) -> None:
    asset = a_published_asset()
    raw.set(key_of(asset.id, asset.rev), POISON[name](asset))
    assert bodies.get(asset.id, asset.rev) is None


def test_a_value_of_another_kind_is_none_and_no_reason_to_rest(bodies: RedisAssetBodies, raw: Redis) -> None:
    asset, other = a_published_asset(), a_published_asset()
    raw.rpush(key_of(asset.id, asset.rev), "x")
    bodies.put(other, 60)
    assert bodies.get(asset.id, asset.rev) is None
    assert bodies.get(other.id, other.rev) == other


def test_a_giant_is_not_kept(bodies: RedisAssetBodies, raw: Redis) -> None:
    bodies.put(a_published_asset(media={"text": "x" * LARGEST_BYTES}), 60)
    assert raw.dbsize() == 0


def test_each_field_of_the_record_is_kept(bodies: RedisAssetBodies) -> None:
    assert json.loads(dumped(a_published_asset())).keys() == {field.name for field in fields(Asset)}


def test_a_server_that_keeps_nothing_more_does_no_harm(bodies: RedisAssetBodies, raw: Redis) -> None:
    raw.config_set("maxmemory", "1")
    asset = a_published_asset()
    bodies.put(asset, 60)
    assert bodies.get(asset.id, asset.rev) is None


@pytest.mark.parametrize("gone", [RedisServer.kill, RedisServer.hang])
def test_a_redis_that_is_away_costs_next_to_nothing(
    server: RedisServer, bodies: RedisAssetBodies, gone: Callable[[RedisServer], None]
) -> None:
    asset = a_published_asset()
    bodies.put(asset, 60)
    gone(server)
    began, tries = time.monotonic(), 200
    for _ in range(tries):
        with pytest.raises(Unavailable):
            bodies.get(asset.id, asset.rev)
        bodies.put(asset, 60)
    assert (time.monotonic() - began) / tries < 0.005


def test_a_redis_that_is_back_is_used_again(
    server: RedisServer, bodies: RedisAssetBodies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies.connection.rest, "seconds", 0.05)
    asset = a_published_asset()
    server.kill()
    with pytest.raises(Unavailable):
        bodies.get(asset.id, asset.rev)
    server.start()
    time.sleep(0.1)
    bodies.put(asset, 60)
    assert bodies.get(asset.id, asset.rev) == asset
