"""Every built-in storage against the shipped contract."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from mediaflow.plugin import Storage
from mediaflow.testing.storage import StorageContract
from mediaflow_local.plugin import open_local
from mediaflow_minio.plugin import open_s3
from tests.contracts.s3server import S3Server
from tests.simulation.storage import MemoryStorage


class TestLocalStorage(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return open_local(f"local:{tmp_path}/objects", {})

    @pytest.fixture
    def opened_again(self, tmp_path: Path) -> Callable[[], Storage]:
        return lambda: open_local(f"local:{tmp_path}/objects", {})


@pytest.fixture(scope="session")
def s3_storages(s3_server: S3Server) -> Callable[[str], Storage]:
    """One storage a query for all tests: connections are reused, as in a service."""
    return cache(lambda query: open_s3(s3_server.url("contract", query), s3_server.settings))


class TestS3Storage(StorageContract):
    query = ""

    @pytest.fixture
    def storage(self, s3_storages: Callable[[str], Storage]) -> Storage:
        return s3_storages(self.query)

    @pytest.fixture
    def opened_again(self, s3_server: S3Server) -> Callable[[], Storage]:
        return lambda: open_s3(s3_server.url("contract", self.query), s3_server.settings)


class TestMemoryStorage(StorageContract):
    """What tests/simulation keeps objects in."""

    kept = MemoryStorage()

    @pytest.fixture
    def storage(self) -> Storage:
        return self.kept

    @pytest.fixture
    def opened_again(self) -> Callable[[], Storage]:
        return lambda: self.kept

    @pytest.mark.skip(reason="a simulation has no threads: it interleaves calls itself")
    def test_completing_from_several_sides_at_once_makes_one_object(self) -> None:  # type: ignore[override]
        """Of real storages."""

    @pytest.mark.skip(reason="memory holds all that it keeps")
    def test_bodies_pass_through_and_are_never_held_whole(self) -> None:  # type: ignore[override]
        """Of real storages."""

    @pytest.mark.skip(reason="memory holds all that it keeps")
    def test_a_part_passes_through_and_is_never_held_whole(self) -> None:  # type: ignore[override]
        """Of real storages."""


@pytest.mark.slow
class TestS3StorageUnderAPrefix(TestS3Storage):
    query = "?prefix=one/service&region=us-east-1"
