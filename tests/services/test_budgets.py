"""What a look and a step may cost, by what is known of the source; and that a task which takes more is rejected."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from mediaflow.domain.media import MediaInfo, VideoStream
from mediaflow.services.pipeline.budgets import memory_ceiling, probe_budget, step_budget
from mediaflow.testing import clips
from tests.integration.service import clean_environ

GIBIBYTE = 1024**3
VIDEO = VideoStream(0, "h264", 1920, 1080, Fraction(1), 0, Fraction(25), 250, 0.0, 10.0, "yuv420p", "progressive")
CLIP = MediaInfo("video", "mov", 1000, 10.0, 10.0, 0.0, 1, VIDEO)


@pytest.mark.parametrize(
    ("media", "ceiling", "mebibytes"),
    [
        (CLIP, 2 * GIBIBYTE, 768 + 126),
        (replace(CLIP, video=replace(VIDEO, width=3840, height=2160)), 2 * GIBIBYTE, 768 + 506),
        (replace(CLIP, video=replace(VIDEO, width=8640, height=8640)), 2 * GIBIBYTE, 2048),
        (replace(CLIP, kind="audio", video=None), 2 * GIBIBYTE, 768),
        (CLIP, GIBIBYTE // 2, 512),
    ],
)
def test_memory_goes_by_the_pictures_up_to_a_ceiling(media: MediaInfo, ceiling: int, mebibytes: int) -> None:
    budget = step_budget(media, 600.0, Path("/work"), ceiling)
    assert budget.memory_bytes // 1024**2 == mebibytes
    assert probe_budget(ceiling).memory_bytes == ceiling // 2


def test_disk_and_time_go_by_the_length() -> None:
    short, long = (
        step_budget(replace(CLIP, duration_seconds=s), 2 * s, Path("/work"), GIBIBYTE) for s in (10.0, 1000.0)
    )
    assert (short.written_bytes, long.written_bytes) == (256 * 1024**2 + 160_000_000, 256 * 1024**2 + 16_000_000_000)
    assert (short.written_files, long.written_files) == (10_200, 30_000)
    assert long.cpu_seconds == 100 * short.cpu_seconds == 2000 * (os.cpu_count() or 1)


def test_the_ceiling_is_the_settings_or_grows_with_the_cores() -> None:
    assert memory_ceiling(12345) == 12345
    assert memory_ceiling(0) == 2 * GIBIBYTE + 64 * 1024**2 * (os.cpu_count() or 1)


def test_a_task_that_takes_more_is_rejected_in_a_sentence_and_not_tried_again(tmp_path: Path) -> None:
    # its encoding lasts for many looks of the watch, on the quickest machine too
    clip = clips.make_clip(tmp_path / "clip.mp4", seconds=8.0, width=1920, height=1080)
    environ = clean_environ(MEDIAFLOW_TASK_MEMORY_BYTES=str(192 * 1024**2))
    command = [sys.executable, "-m", "mediaflow", "transcode", str(clip), str(tmp_path / "out"), "--json"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    sentence = done.stderr.strip().splitlines()[-1]
    assert "took more than 192 MiB of memory (MEDIAFLOW_TASK_MEMORY_BYTES) for this file, and was ended." in sentence
    assert not done.stdout or json.loads(done.stdout)
