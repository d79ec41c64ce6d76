"""The order of the files: what takes long begins first, so that no process is left with it when all else is done."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any, Final

import pytest
from xdist.scheduler import LoadFileScheduling

ROOT: Final = Path(__file__).parents[1]
LONGEST_FIRST: Final = (
    # requests one after another, mypy on an empty cache, and what waits for real browsers and processes
    "tests/integration/library/test_finding.py",
    "tests/integration/library/test_editing.py",
    "tests/integration/library/test_account.py",
    "tests/integration/library/test_deleting.py",
    "tests/integration/test_page.py",
    "tests/integration/test_playing_early.py",
    "tests/integration/test_tracks.py",
    "tests/integration/test_schemathesis.py",
    "tests/integration/test_player.py",
    "tests/packaging/test_architecture.py",
    "tests/integration/test_up.py",
    "tests/plugins/test_ffmpeg_copying.py",
    "tests/plugins/test_ffmpeg_content.py",
    "tests/simulation/test_histories.py",
    "tests/packaging/test_thirdparty_service.py",
    "tests/contracts/test_repositories.py",
    "tests/integration/test_encode.py",
    "tests/integration/test_production.py",
    "tests/chaos/test_chaos.py",
    "tests/integration/test_cache_races.py",
    "tests/integration/test_asset_life.py",
    "tests/contracts/test_repository_finding.py",
    "tests/contracts/test_repository_changes.py",
    "tests/integration/test_corpus_probe.py",
    "tests/api/test_gunicorn.py",
    "tests/packaging/test_thirdparty.py",
    "tests/packaging/test_thirdparty_run.py",
    "tests/services/test_posters.py",
    "tests/services/test_step_escapes.py",
    "tests/services/test_stepprocess.py",
    "tests/contracts/test_first_version.py",
    "tests/api/test_authorisation.py",
    "tests/api/test_identities.py",
    "tests/integration/test_stream_redirect.py",
    "tests/api/test_spectral.py",
    "tests/contracts/test_storages.py",
)
ONE_SERVICE: Final = (
    "tests/integration/library/",
    "tests/integration/test_corpus.py",
    "tests/integration/test_firefox.py",
    "tests/integration/test_live_page.py",
    "tests/integration/test_mutants.py",
    "tests/integration/test_page.py",
    "tests/integration/test_playing_early.py",
    "tests/integration/test_tracks.py",
)
"""They use the service, the browser and the clips of `tests/integration`, which every process would make for itself."""


class Files(LoadFileScheduling):  # type: ignore[misc]  # xdist's schedulers are not typed
    """A file goes to one process, and those of `ONE_SERVICE` go to one together."""

    def _split_scope(self, nodeid: str) -> str:
        return "one service" if nodeid.startswith(ONE_SERVICE) else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """Ours in the place of `--dist loadfile`."""
    return Files(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by file, the long ones first; within a file nothing moves, nor do the other files among themselves."""
    places = {ROOT / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_collection_finish() -> None:
    """Leave what now is there, thousands of tests and what they import, to no later collection of garbage.

    Each full one would go through all of it: a quarter of what a simulated history costs (measured).
    """
    gc.collect()
    gc.freeze()
