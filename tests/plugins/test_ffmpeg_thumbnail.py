"""An asset's picture shows something, if there is anything to see."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mediaflow.plugin import NeedsWholeSource, StepSpec, StepTask, Workspace
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing.clips import run_ffmpeg
from mediaflow.testing.steps import probed, profile_of, run_task
from mediaflow_ffmpeg.looks import BLURRED, FINE, NOTHING, verdict
from mediaflow_ffmpeg.thumbnail import Thumbnail, later_seconds
from tests.source_facts import VIDEO

RUNNER = SandboxedRunner("bwrap")
SECONDS = 20
SHARP = "testsrc2=size=320x180:rate=10"
BLACK, WHITE = "color=black:size=320x180:rate=10", "color=white:size=320x180:rate=10"
NOISY = f"{BLACK},noise=alls=6:allf=t"
BLURRY = f"{SHARP},boxblur=12"


def clip(path: Path, opening: str, opening_seconds: float, rest: str = SHARP) -> Path:
    """So many seconds of one picture, and then another: 20 s."""
    inputs = [f"{opening}:duration={opening_seconds}" if "," not in opening else opening, rest]
    argv = [argument for graph in inputs for argument in ("-f", "lavfi", "-i", graph)]
    joined = f"[0]trim=duration={opening_seconds}[a];[1]trim=duration={SECONDS - opening_seconds}[b];[a][b]concat"
    coder = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "20"]
    run_ffmpeg([*argv, "-filter_complex", joined, *coder, str(path)])
    return path


def colours(jpeg: Path) -> set[bytes]:
    """The colours of a few pixels across a picture, in rough steps."""
    argv = ["ffmpeg", "-v", "error", "-i", str(jpeg), "-vf", "scale=16:9", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    pixels = subprocess.run(argv, capture_output=True, check=True).stdout
    return {bytes(value // 64 for value in pixels[at : at + 3]) for at in range(0, len(pixels), 3)}


def picture_of(source: Path, directory: Path, **params: Any) -> Path:
    spec = StepSpec("image.thumbnail", params)
    media = probed(source, RUNNER)
    (task,) = Thumbnail().plan(media, spec, profile_of(spec))
    (artifact,) = run_task(Thumbnail(), task, media, source, directory, RUNNER)
    assert [file.name for file in directory.iterdir()] == [artifact.path]
    return directory / artifact.path


@pytest.mark.parametrize("opening", [BLACK, WHITE, NOISY, BLURRY], ids=["black", "white", "noise", "blur"])
def test_a_picture_without_anything_to_see_gives_way_to_a_later_one(opening: str, tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", opening, 5)

    assert len(colours(picture_of(source, tmp_path / "out"))) > 10


def test_a_wished_picture_is_the_wished_one(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", BLACK, 5)

    assert len(colours(picture_of(source, tmp_path / "out", at_seconds=3))) == 1


@pytest.mark.parametrize(("rest", "most"), [(BLACK, 1), (BLURRY, 100)])
def test_where_nothing_is_better_the_best_stays(rest: str, most: int, tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", BLACK, 6, rest)

    found = len(colours(picture_of(source, tmp_path / "out")))
    assert (found == 1) if most == 1 else 1 < found <= most


def test_of_a_part_of_the_source_no_other_picture_is_taken(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", BLACK, 6)
    media, spec = probed(source, RUNNER), StepSpec("image.thumbnail")
    (task,) = Thumbnail().plan(media, spec, profile_of(spec))
    (tmp_path / "out").mkdir()
    workspace = Workspace(tmp_path / "out", source, lambda _: None, RUNNER, {}, partial=True)

    with pytest.raises(NeedsWholeSource):
        Thumbnail().run(StepTask(task.name, task.params, media), workspace)


@pytest.mark.parametrize(
    ("seconds", "at", "later"),
    [
        (10.0, 2.0, [4.0, 8.0]),
        (7200.0, 30.0, [60.0, 120.0, 240.0, 480.0]),
        (0.5, 0.1, [0.2, 0.4]),
        (1.0, 0.0, []),
    ],
)
def test_tries_are_few_and_further_on(seconds: float, at: float, later: list[float]) -> None:
    assert later_seconds(replace(VIDEO, duration_seconds=seconds), at) == pytest.approx(later)
    begins_late = replace(VIDEO, duration_seconds=seconds, start_seconds=3.0)
    assert later_seconds(begins_late, 3.0 + at) == pytest.approx([3 + each for each in later])


@pytest.mark.parametrize(
    ("low", "high", "blur", "expected"),
    [
        ("16", "16", "-nan", NOTHING),
        ("235", "235", "nan", NOTHING),
        ("16", "30", "5.0", NOTHING),
        ("41", "210", "4.48", FINE),
        ("41", "210", "21.8", BLURRED),
        ("41", "210", "-nan", BLURRED),
        ("?", "210", "4", FINE),
    ],
)
def test_pictures_are_judged_by_what_ffmpeg_measured(low: str, high: str, blur: str, expected: int) -> None:
    told = f"frame:0\nlavfi.signalstats.YLOW={low}\nlavfi.signalstats.YHIGH={high}\nlavfi.blur={blur}\n"

    assert verdict(told.encode()) == expected
    assert verdict(told.encode() + b"lavfi.blur=1\nlavfi.signalstats.YHIGH=255\n") == expected


def test_what_was_not_measured_is_fine() -> None:
    assert verdict(b"") == FINE
