"""Fixtures that several plugins' tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mediaflow.domain.ids import new_id
from tests.contracts.s3server import S3Server, running_s3_server


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket() -> str:
    return f"b{new_id()}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where a local storage keeps its objects."""
    return tmp_path / "objects"
