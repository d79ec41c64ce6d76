"""The data directory: private, held by one, and telling where its service is."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mediaflow.embedded.datadir import DataDirectory
from mediaflow.plugin import ConfigurationError


def test_a_new_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "new" / "data")

    with directory.held():
        directory.announce({"url": "http://127.0.0.1:1"})
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (directory.path, directory.run)}
        note = stat.S_IMODE((directory.run / "up.json").stat().st_mode)

    assert modes == {"data": 0o700, "run": 0o700}
    assert note == 0o600


def test_a_directory_is_held_by_one_only_and_the_second_learns_by_whom(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)

    with directory.held():
        directory.announce({"pid": 7, "url": "http://127.0.0.1:8080"})
        with pytest.raises(ConfigurationError, match=r"process 7, http://127.0.0.1:8080.*--data-dir"):
            DataDirectory(tmp_path).held().__enter__()
        assert directory.running() is not None, "the first one is still found"
    with directory.held():
        pass


def test_a_running_service_is_found_and_an_ended_one_is_not(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    assert directory.running() is None

    with directory.held():
        assert directory.running() is None, "it has not said yet where it is"
        directory.announce({"url": "http://127.0.0.1:8080"})
        assert directory.running() == {"url": "http://127.0.0.1:8080"}

    assert directory.running() is None


def test_a_note_that_a_killed_service_left_does_not_count(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    with directory.held():
        directory.announce({"url": "http://127.0.0.1:8080"})
        note = (directory.run / "up.json").read_text()
    (directory.run / "up.json").write_text(note)

    assert directory.running() is None


def test_metrics_of_an_earlier_start_are_gone(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    with directory.held():
        (directory.metrics / "counter_1.db").write_bytes(b"old")

    with directory.held():
        assert list(directory.metrics.iterdir()) == []


def test_a_place_that_cannot_be_a_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match=r"file.*--data-dir"):
        DataDirectory(tmp_path / "file" / "data").held().__enter__()
