"""The whole application over a real SQLite file and a real local storage, and clients of several people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from mediaflow.api.http.context import install
from mediaflow.app import create_app
from tests.api.site import Api, Site
from tests.services.world import make_world

SETTINGS = {"max_upload_bytes": "1000000", "max_chunk_bytes": "4096"}


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """One for all tests: making it takes most of a small test's time, and it keeps nothing but what is installed."""
    world = make_world(tmp_path_factory.mktemp("application"), **SETTINGS)
    yield create_app(world.runtime.settings, world.runtime)
    world.runtime.close()


@pytest.fixture
def site(tmp_path: Path, application: Flask) -> Iterator[Site]:
    world = make_world(tmp_path / "data", **SETTINGS)
    install(application, world.runtime)
    yield Site(world, application.test_client(use_cookies=False))
    world.runtime.close()


@pytest.fixture
def ann(site: Site) -> Api:
    return site.as_user("ann")


@pytest.fixture
def bob(site: Site) -> Api:
    return site.as_user("bob")


@pytest.fixture
def admin(site: Site) -> Api:
    return site.as_user("root", "admin")


@pytest.fixture
def stranger(site: Site) -> Api:
    return Api(site.client)
