"""A preview shows moments of the whole video, as many seconds as wished, in few bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mediaflow.plugin import Artifact, PlannedTask, StepSpec, TaskFiles
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing import clips
from mediaflow.testing.measure import brightness
from mediaflow.testing.steps import probed, profile_of, run_task
from mediaflow_ffmpeg.preview import Preview, moments, seconds_of
from mediaflow_ffmpeg.video import H264Video

RUNNER = SandboxedRunner("bwrap")
QUICK = StepSpec("video.h264", {"preset": "ultrafast"})
SPEC = StepSpec("image.preview")


@pytest.mark.parametrize(
    ("lengths", "chosen", "shown"),
    [
        ([4.0] * 100, [12, 37, 62, 87], [0.75, 0.75, 0.75, 0.75]),
        ([4.0] * 4, [0, 1, 2, 3], [0.75, 0.75, 0.75, 0.75]),
        ([4.0, 4.0], [0, 1], [1.5, 1.5]),
        ([4.0, 0.5], [0], [3.0]),
        ([2.5], [0], [2.5]),
    ],
)
def test_the_moments_are_in_the_middle_of_equal_parts(
    lengths: list[float], chosen: list[int], shown: list[float]
) -> None:
    assert moments(lengths) == chosen
    assert seconds_of([lengths[number] for number in chosen], 3.0) == shown


def test_a_wrong_parameter_is_named() -> None:
    assert list(Preview().check({"seconds": 2.5, "max_side": 160})) == []
    assert list(Preview().check({"seconds": 60})) == ["seconds: 60 is not a number from 1 to 10"]


def made(source: Path, root: Path, *, copies: bool = False, **params: Any) -> tuple[Path, Artifact]:
    """The preview of a source of which a rendition was made before, or copied."""
    media = probed(source, RUNNER)
    spec = StepSpec("image.preview", params)
    profile = replace(profile_of(QUICK, spec), copies=copies)
    tasks = {task.name: task for task in H264Video().plan(media, QUICK, profile)}
    (task,) = Preview().plan(media, spec, profile)
    inputs = {}
    assert (task.needs == ("video-copy",)) == copies
    for need in task.needs:
        directory = root / need
        inputs[need] = TaskFiles(directory, tuple(run_task(H264Video(), tasks[need], media, source, directory, RUNNER)))
    (artifact,) = run_task(Preview(), task, media, source, root / "preview", RUNNER, inputs=inputs)
    return root / "preview" / artifact.path, artifact


def rising(path: Path, seconds: int) -> Path:
    """Each second is brighter than the one before."""
    step = 200 // seconds
    picture = (
        f"color=black:size=64x36:rate=30:duration={seconds},format=yuv420p,geq=lum='30+{step}*floor(T)':cb=128:cr=128"
        ",scale=320:180"
    )
    clips.run_ffmpeg(["-f", "lavfi", "-i", picture, "-c:v", "libx264", "-preset", "ultrafast", "-g", "60", str(path)])
    return path


@pytest.mark.parametrize("copies", [False, True], ids=["encoded", "copied"])
def test_it_shows_four_moments_of_the_whole(copies: bool, tmp_path: Path) -> None:
    file, artifact = made(rising(tmp_path / "a.mp4", 10), tmp_path, copies=copies)

    levels = brightness(file)
    assert len(levels) == pytest.approx(45, abs=1)
    assert artifact.size_bytes < 30_000
    assert (artifact.role, artifact.content_type, artifact.width, artifact.height) == ("preview", "video/mp4", 320, 180)
    shown = [round((level - 30) / 20) for _, level in levels]
    assert list(dict.fromkeys(shown)) == [0, 2, 6, 8]
    assert [at for at, _ in levels] == pytest.approx([number / 15 for number in range(len(levels))], abs=0.01)


def test_noise_stays_small(tmp_path: Path) -> None:
    noise = "nullsrc=size=320x180:rate=30:duration=5,geq=lum='random(1)*255':cb='random(2)*255':cr=128"
    source = tmp_path / "a.mp4"
    clips.run_ffmpeg(["-f", "lavfi", "-i", noise, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "30", str(source)])

    assert made(source, tmp_path)[1].size_bytes < 300_000


@pytest.mark.parametrize(
    ("seconds", "profile", "planned"),
    [(3.0, (QUICK, SPEC), 1), (1.0, (QUICK, SPEC), 0), (3.0, (SPEC,), 0)],
    ids=["usual", "over at once", "without video.h264"],
)
def test_it_is_planned_where_there_is_something_to_see(
    seconds: float, profile: tuple[StepSpec, ...], planned: int, tmp_path: Path
) -> None:
    media = probed(clips.silent(tmp_path / "a.mp4", seconds=seconds), RUNNER)

    tasks: list[PlannedTask] = list(Preview().plan(media, SPEC, profile_of(*profile)))

    assert len(tasks) == planned
    assert all(task.optional and task.rank == 2 for task in tasks)
