"""The plugin in a whole mediaflow: its upload check, its profile and its step."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from mediaflow.plugin import InvalidInput
from mediaflow.testing.clips import make_clip
from mediaflow.testing.service import service


def test_a_video_gets_its_checksum(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=1, width=160, height=90)
    with service(tmp_path, plugins=["example"]) as s:
        asset = s.upload(clip, profile="example")
        assert s.asset(asset).state == "processing"
        assert s.drain(asset).state == "ready", s.tasks(asset)
        (output,) = [output for output in s.outputs(asset) if output.kind == "file"]
        assert json.loads(s.read(asset, output.path))["sha256"] == hashlib.sha256(clip.read_bytes()).hexdigest()
        assert {task.state for task in s.tasks(asset)} == {"done"}


def test_what_it_forbids_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ForBidden.mp4").write_bytes(b"x")
    with service(tmp_path, plugins=["example"]) as s, pytest.raises(InvalidInput) as caught:
        s.upload(tmp_path / "ForBidden.mp4")
    assert [problem.code for problem in caught.value.problems] == ["upload.example_forbidden"]


def test_a_file_that_is_none_is_rejected_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_bytes(b"this is no video")
    with service(tmp_path, plugins=["example"]) as s:
        asset = s.upload(tmp_path / "text.mp4")
        assert s.drain(asset).state == "rejected"
        (probe, *_) = [task for task in s.tasks(asset) if task.error]
        assert probe.stage == "probe"
