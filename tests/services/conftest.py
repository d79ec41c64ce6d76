"""Fixtures of the services' tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mediaflow.persistence import open_database
from mediaflow.services.ports import Database
from tests.services import stepbench
from tests.services.world import World, make_world

bench = stepbench.bench


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path / "data")
    yield made
    made.runtime.close()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Documents alone: a SQLite file."""
    opened = open_database(f"sqlite:{tmp_path / 'test.db'}")
    yield opened
    opened.close()
