"""Trees of files that a stranger made: whatever they are, they are opened without following and can be removed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mediaflow.sandbox.ownership import open_made, remove_tree


def test_a_tree_of_any_depth_and_mode_is_removed_and_nothing_else(tmp_path: Path) -> None:
    # given directories in one another, deeper than Python recurses and than a path is long, some of them closed
    outside, top = tmp_path / "outside", tmp_path / "top"
    for directory in (outside, top):
        directory.mkdir()
    (outside / "kept").write_text("kept")
    (top / "1.moved").mkdir()
    (top / "1.moved" / "not empty").write_text("x")
    (top / "link").symlink_to(outside)
    (top / "closed").mkdir()
    (top / "closed" / "file").write_text("x")
    (top / "closed").chmod(0)
    os.mkfifo(top / "pipe")
    place = os.open(top, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d" * 40, dir_fd=place)
        below = os.open("d" * 40, os.O_RDONLY, dir_fd=place)
        os.symlink(outside, "link", dir_fd=below)
        os.close(place)
        place = below
    os.close(place)
    # when it is removed, and again
    remove_tree(top)
    remove_tree(top)
    # then it is gone, and what its links named is not
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside"]
    assert (outside / "kept").read_text() == "kept"


def test_what_is_opened_is_a_file_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").write_bytes(b"made")
    (tmp_path / "link").symlink_to("in/file")
    (tmp_path / "away").symlink_to("/etc")
    os.mkfifo(tmp_path / "pipe")
    with open_made(tmp_path, "in/file") as file:
        assert file.read() == b"made"
    for path in ("link", "away/passwd", "pipe", "in", "missing"):
        with pytest.raises(OSError):
            open_made(tmp_path, path)
