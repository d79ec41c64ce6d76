"""The first file of `make run`: refused before anything starts, and the made-up clip is the same every time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mediaflow.embedded.first_ingest import check_file, make_clip
from mediaflow.plugin import InvalidInput


def test_what_is_no_video_is_refused_in_a_sentence_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# mediaflow\n\nA self-hosted media service.\n")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    os.mkfifo(tmp_path / "pipe.mp4")
    said = {
        "README.md": "can't be sent: The file is text",
        "empty.mp4": "The file is empty (0 bytes).",
        "picture.png": "an image (PNG)",
        "pipe.mp4": "is no file",
        ".": "is no file",
        "missing.mp4": "there is no file",
        "/proc/self/mem": "can't be read",  # of root's, too
    }
    for name, words in said.items():
        with pytest.raises(InvalidInput) as caught:
            check_file(os.fspath(tmp_path / name))
        assert words in caught.value.detail, name
        assert "name another one, or none to have a clip made" in caught.value.detail


def test_no_file_and_what_begins_like_a_video_may_be_sent(tmp_path: Path) -> None:
    (tmp_path / "video.mp4").write_bytes(bytes(3) + b"\x20ftypisom" + bytes(20))

    for file in (None, "", os.fspath(tmp_path / "video.mp4")):
        check_file(file)


def test_the_clip_is_the_same_every_time(tmp_path: Path) -> None:
    assert make_clip(tmp_path / "one.mp4").read_bytes() == make_clip(tmp_path / "two.mp4").read_bytes()
