"""The whole application over a real SQLite file and a real local storage, and clients of several people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mediaflow.app import create_app
from tests.api.site import Api, Site
from tests.services.world import make_world


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    world = make_world(tmp_path / "data", max_upload_bytes="1000000", max_chunk_bytes="4096")
    app = create_app(world.runtime.settings, world.runtime)
    yield Site(world, app.test_client(use_cookies=False))
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
