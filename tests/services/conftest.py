"""Fixtures of the services' tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediaflow.persistence import open_database
from mediaflow.services.ports import Database
from tests.services.stepbench import Bench
from tests.services.world import World, make_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path / "data")
    yield made
    made.runtime.close()


@pytest.fixture
def bench(shared: Bench) -> Bench:
    """What a module's `shared` made, as if nothing had run on it."""
    shutil.rmtree(shared.directory, ignore_errors=True)
    shared.directory.mkdir()
    shared.source.write_bytes(b"wav")
    return shared


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Documents alone: a SQLite file."""
    opened = open_database(f"sqlite:{tmp_path / 'test.db'}")
    yield opened
    opened.close()
