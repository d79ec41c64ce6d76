"""Counters in a real Redis: shared, forgotten, exact to what was asked, and never a failure of anybody."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from mediaflow.persistence.redis.connection import REST_SECONDS, open_redis
from mediaflow.persistence.redis.counters import MANY, SharedCounters
from tests.persistence.redis_server import RedisServer, running_redis


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path) as started:
        yield started


def counters(url: str) -> SharedCounters:
    connection = open_redis(url)
    assert connection is not None
    return SharedCounters(connection)


def test_all_processes_count_together_and_the_counter_forgets(server: RedisServer) -> None:
    one, two = counters(server.url), counters(server.url)
    assert [one.add("a", 60), two.add("a", 60), one.add("a", 60), two.add("b", 60)] == [1, 2, 3, 1]
    assert (two.read("a"), one.read("nothing")) == (3, 0)
    with Redis.from_url(server.url) as raw:
        keys = list(raw.scan_iter())
        assert len(keys) == 2
        assert all(0 < int(raw.ttl(key)) <= 60 for key in keys)
    one.add("short", 1)
    time.sleep(1.2)
    assert two.read("short") == 0


def test_many_are_told_together(server: RedisServer) -> None:
    one, two = counters(server.url), counters(server.url)
    assert [one.add("a", 60, every=10) for _ in range(9)] == list(range(1, 10))
    assert two.read("a") == 0
    assert one.add("a", 60, every=10) == 10
    assert two.read("a") == 10
    assert [two.add("a", 60, every=10) for _ in range(10)][-1] == 20
    assert [one.add("a", 60, every=10) for _ in range(10)][-1] == 30


def test_threads_lose_no_count(server: RedisServer) -> None:
    shared = counters(server.url)

    def count() -> None:
        for _ in range(250):
            shared.add("a", 60, every=10)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shared.read("a") == 1000


def test_without_redis_each_process_counts_alone_and_nobody_waits(server: RedisServer) -> None:
    shared = counters(server.url)
    shared.add("a", 60)
    server.kill()
    began = time.monotonic()
    assert [shared.add("a", 60) for _ in range(100)] == list(range(1, 101))
    assert shared.read("a") == 100
    assert time.monotonic() - began < 1
    server.start()
    time.sleep(REST_SECONDS + 0.1)
    assert shared.add("a", 60) == 1


def test_a_redis_that_hangs_is_waited_for_once(server: RedisServer) -> None:
    shared = counters(server.url)
    shared.add("a", 60)
    server.hang()
    began = time.monotonic()
    for _ in range(100):
        shared.add("a", 60)
    assert time.monotonic() - began < 1.5
    server.go_on()


def test_old_tallies_do_not_add_up(server: RedisServer) -> None:
    shared = counters(server.url)
    for number in range(2 * MANY):
        shared.add(f"user-{number}", 0, every=10)
    assert len(shared._tallies) <= MANY
