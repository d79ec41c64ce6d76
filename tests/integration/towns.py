"""Two web processes over one database and one Redis: as two runtimes of the tests' process, and as programs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import requests
from flask import Flask

from mediaflow.app import create_app
from mediaflow.persistence import open_database
from mediaflow.services.ports import Database
from tests.api.server import KEY, clean_environ, free_port, gunicorn_command
from tests.api.site import Site
from tests.integration.published import publish
from tests.integration.races import Door, Ledger, State, Subject, race
from tests.programs import running
from tests.services.world import World, make_world

SUBJECTS = 3
READERS = 5


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
    tokens = _tokens(worlds[0])
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
        world = make_world(directory / "tokens", jwt_key=KEY)
        stack.callback(world.runtime.close)
        tokens = _tokens(world)
        subjects = [_subject(publish(data).asset.id) for _ in range(SUBJECTS)]
        database = open_database(f"sqlite:{data / 'mediaflow.db'}")
        stack.callback(database.close)
        yield Town(
            lambda: [OverHttp(f"http://127.0.0.1:{port}", tokens) for port in ports],
            database,
            subjects,
        )


def _tokens(world: World) -> dict[str, str]:
    """Tokens that outlive the longest race on a busy machine."""
    return {user: world.runtime.tokens.mint(user, "user", 12 * 3600) for user in ("ann", "bob")}


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
