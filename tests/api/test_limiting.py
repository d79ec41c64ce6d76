"""Limits over HTTP: a user's requests, an address's refused credentials, quotas; told in headers and in words."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from mediaflow.app import create_app
from mediaflow.services.requests.rate_limits import RateLimits
from tests.api.site import MASTER, Site, is_problem
from tests.persistence.redis_server import RedisServer, running_redis
from tests.services.world import make_world


def limited_site(directory: Path, **environ: str) -> Site:
    """A site in the middle of a minute, so that no test sees its end."""
    world = make_world(directory / "data", **environ)
    began = time.monotonic()
    rates: RateLimits = replace(world.runtime.rate_limits, clock=lambda: 600_000_020.0 + time.monotonic() - began)
    world.runtime.rate_limits = rates
    return Site(world, create_app(world.runtime.settings, world.runtime).test_client(use_cookies=False))


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Site]:
    site = limited_site(tmp_path, rate_limit_per_minute="3", login_failures_per_minute="2")
    yield site
    site.world.runtime.close()


def left(answer: TestResponse) -> int:
    assert answer.headers["RateLimit-Policy"] == '"user";q=3;w=60'
    match = re.fullmatch(r'"user";r=(\d+);t=(\d+)', answer.headers["RateLimit"])
    assert match is not None
    assert 0 < int(match[2]) <= 60
    return int(match[1])


# --- requests


def test_a_user_is_told_what_is_left_and_refused_when_nothing_is(limited: Site) -> None:
    ann, bob = limited.as_user("ann"), limited.as_user("bob")
    assert [left(ann.get("/assets")) for _ in range(3)] == [2, 1, 0]
    answer = ann.get("/assets")
    document = is_problem(answer, 429, "limit.rate")
    assert document["limit"] == 3
    assert left(answer) == 0
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert left(bob.get("/assets")) == 2


def test_an_admin_is_limited_too(limited: Site) -> None:
    admin = limited.as_user("root", "admin")
    assert [admin.get("/assets").status_code for _ in range(4)] == [200, 200, 200, 429]


def test_every_answer_to_somebody_known_tells_the_limit(limited: Site) -> None:
    ann = limited.as_user("ann")
    assert left(ann.get("/audit")) == 2  # 403
    assert left(ann.get(f"/assets/{'0' * 32}")) == 1  # 404
    assert left(ann.call("POST", "/uploads", json={"nonsense": 1})) == 0  # 422


def test_what_needs_nobody_is_neither_counted_nor_limited(limited: Site) -> None:
    asset = limited.published(visibility="public")
    token, _ = limited.world.runtime.stream_tokens.mint(asset)
    ann = limited.as_user("ann")
    paths = ("/livez", "/readyz", "/static/style.css", "/api/v1/openapi.json", f"/stream/{token}/{asset.id}/{MASTER}")
    for path in paths * 3:
        answer = limited.client.get(path, headers={"Authorization": f"Bearer {ann.token}"})
        assert answer.status_code != 429
        assert "RateLimit" not in answer.headers
    assert left(ann.get("/assets")) == 2
    ann.token = None
    for _ in range(5):
        assert ann.call("POST", f"/assets/{asset.id}/playback").status_code == 200


def test_a_refused_chunk_is_not_kept(limited: Site) -> None:
    ann = limited.as_user("ann")
    upload = ann.announce(10)
    ann.get("/assets")
    ann.get("/assets")
    is_problem(ann.send(upload, 0, b"0123456789"), 429, "limit.rate")
    assert limited.world.runtime.database.chunks.count({}) == 0


# --- refused credentials


def test_an_address_with_refused_tokens_waits_while_valid_ones_work(limited: Site) -> None:
    headers = {"Authorization": "Bearer a.b.c"}
    ann, stranger = limited.as_user("ann"), limited.as_user("nobody")
    stranger.token = None
    for _ in range(2):
        is_problem(stranger.get("/assets", headers=headers), 401, "auth.bad_token")
    answer = stranger.get("/assets", headers=headers)
    is_problem(answer, 429, "limit.refused_credentials")
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    is_problem(stranger.get("/assets"), 429, "limit.refused_credentials")
    assert ann.get("/assets").status_code == 200
    assert stranger.call("POST", "/session", json={"token": ann.token}).status_code == 200
    elsewhere = {"environ_overrides": {"REMOTE_ADDR": "192.0.2.7"}}
    is_problem(stranger.get("/assets", headers=headers, **elsewhere), 401)


def test_codes_count_like_tokens(limited: Site) -> None:
    code = limited.world.runtime.login_codes.create("ann", "user", 60)
    assert limited.client.get(f"/login/{'x' * 43}").status_code == 401
    assert limited.client.post("/api/v1/session", json={"token": "x" * 43}).status_code == 401
    is_problem(limited.client.get(f"/login/{'x' * 43}"), 429, "limit.refused_credentials")
    is_problem(limited.client.post("/api/v1/session", json={"token": "nonsense"}), 429, "limit.refused_credentials")
    assert limited.client.get(f"/login/{code}").status_code == 303


def test_pages_that_were_left_open_use_nothing_up(limited: Site) -> None:
    for _ in range(5):
        answer = limited.client.get("/api/v1/assets", headers={"Cookie": "mediaflow_session=old"})
        is_problem(answer, 401)


# --- with Redis, and without it in the middle


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path) as started:
        yield started


def test_two_processes_share_a_limit_and_go_on_alone_while_redis_is_away(tmp_path: Path, redis: RedisServer) -> None:
    environ = {"rate_limit_per_minute": "3", "redis_url": redis.url}
    sites = [limited_site(tmp_path / name, **environ) for name in ("one", "two")]
    people = [site.as_user("ann") for site in sites]
    assert [left(person.get("/assets")) for person in (*people, people[0])] == [2, 1, 0]
    is_problem(people[1].get("/assets"), 429, "limit.rate")

    redis.kill()
    began = time.monotonic()
    assert [person.get("/assets").status_code for person in (*people, *people)] == [200] * 4
    assert time.monotonic() - began < 1

    redis.start()
    time.sleep(2.1)  # the connection's rest
    assert left(people[0].get("/assets")) == 2
    assert left(people[1].get("/assets")) == 1

    redis.hang()
    began = time.monotonic()
    assert people[0].get("/assets").status_code == 200
    assert people[0].get("/assets").status_code in (200, 429)
    assert time.monotonic() - began < 1
    redis.go_on()
    for site in sites:
        site.world.runtime.close()


# --- quotas


def test_a_quota_is_told_in_words_and_figures(tmp_path: Path) -> None:
    site = limited_site(tmp_path, quota_bytes="1000", quota_assets="2")
    ann = site.as_user("ann")
    none = {"assets": {"used": 0, "limit": 2}, "bytes": {"used": 0, "limit": 1000}}
    assert ann.get("/usage").get_json() == none
    ann.announce(600)
    answer = ann.call("POST", "/uploads", json={"filename": "a.mp4", "size_bytes": 500})
    document = is_problem(answer, 429, "limit.quota_bytes")
    assert (document["used"], document["limit"], document["asked"]) == (600, 1000, 500)
    assert "600 bytes of at most 1000" in document["detail"]
    assert int(answer.headers["Retry-After"]) > 0
    assert ann.get("/usage").get_json() == {"assets": {"used": 1, "limit": 2}, "bytes": {"used": 600, "limit": 1000}}
    assert site.as_user("bob").get("/usage").get_json() == none
    site.world.runtime.close()


def test_without_a_quota_there_is_no_limit_to_tell(tmp_path: Path, site: Site) -> None:
    free = limited_site(tmp_path / "free", quota_bytes="0", quota_assets="0")
    usage = free.as_user("ann").get("/usage").get_json()
    assert usage == {"assets": {"used": 0, "limit": None}, "bytes": {"used": 0, "limit": None}}
    free.world.runtime.close()
    usual = site.as_user("ann").get("/usage").get_json()
    assert usual == {"assets": {"used": 0, "limit": 100_000}, "bytes": {"used": 0, "limit": 1024**4}}
