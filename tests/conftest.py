"""The order of the files: what takes long begins first, so that no process is left with it when all else is done."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
LONGEST_FIRST: Final = (
    # mypy on an empty cache, 121 s of requests, and what waits for real browsers and processes
    "tests/integration/test_player.py",
    "tests/integration/test_schemathesis.py",
    "tests/packaging/test_architecture.py",
    "tests/integration/test_up.py",
    "tests/integration/library/test_finding.py",
    "tests/integration/library/test_editing.py",
    "tests/integration/test_encode.py",
    "tests/packaging/test_thirdparty_service.py",
    "tests/packaging/test_thirdparty.py",
    "tests/packaging/test_thirdparty_run.py",
    "tests/integration/test_asset_life.py",
    "tests/integration/test_page.py",
    "tests/integration/test_production.py",
    "tests/integration/test_tracks.py",
    "tests/api/test_gunicorn.py",
    "tests/api/test_spectral.py",
    "tests/contracts/test_repository_changes.py",
    "tests/contracts/test_repositories.py",
    "tests/contracts/test_storages.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by file, the long ones first; within a file nothing moves, nor do the other files among themselves."""
    places = {ROOT / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))
