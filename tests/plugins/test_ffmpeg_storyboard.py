"""Each tile of a storyboard shows what the video shows in its time, whatever the source is like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mediaflow.plugin import Artifact, MediaRejected, PlannedTask, Step, StepSpec, TaskFiles, from_json
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing import clips
from mediaflow.testing.steps import probed, profile_of, run_task
from mediaflow_ffmpeg.renditions import first_in_each
from mediaflow_ffmpeg.storyboard import MOST_TILES, Board, Storyboard, sheets_of, webvtt
from mediaflow_ffmpeg.video import H264Video
from tests.plugins.ffmpeg_media import MEDIA, with_video
from tests.plugins.tiles import Tile, telling_seconds, tiles_of

PROCESSES = SandboxedRunner("bwrap")
NAME, QUICK = "image.storyboard", StepSpec("video.h264", {"preset": "ultrafast"})


def board_of(media: Any = MEDIA, **params: Any) -> Board:
    (task,) = Storyboard().plan(media, StepSpec(NAME, params), profile_of(StepSpec(NAME)))
    return from_json(Board, task.params)


def made(
    source: Path,
    root: Path,
    *,
    encoded: bool,
    copies: bool = False,
    described_by: Path | None = None,
    **params: Any,
) -> list[Tile]:
    """The tiles of a source, from a rendition of it where it is `encoded`, of which the largest may be copied."""
    spec = StepSpec(NAME, params)
    profile = replace(profile_of(spec, *[QUICK] * encoded), copies=copies)
    media = probed(described_by or source, PROCESSES)
    inputs = {}
    (task,) = Storyboard().plan(media, spec, profile)
    for needed in H264Video().plan(media, QUICK, profile):
        if needed.name in task.needs:
            artifacts = run_task(H264Video(), needed, media, source, root / needed.name, PROCESSES)
            inputs[needed.name] = TaskFiles(root / needed.name, tuple(artifacts))
    assert bool(inputs) == encoded
    run_task(Storyboard(), task, media, source, root / "board", PROCESSES, inputs=inputs)
    return tiles_of((root / "board" / "storyboard.vtt").read_text(), lambda uri: (root / "board" / uri).read_bytes())


SPARSE = ["-g", "1000", "-sc_threshold", "0"]
CASES: dict[str, tuple[str, float, list[str]]] = {
    "key frames each second": ("a.mp4", 8, ["-g", "25"]),
    "a single key frame": ("a.mp4", 9.3, SPARSE),
    "key frames at the ends of intervals": ("a.mp4", 8, ["-g", "48", "-sc_threshold", "0", "-bf", "3"]),
    "key frames far apart": ("a.mkv", 12, ["-g", "130", "-sc_threshold", "0"]),
    "B-frames": ("a.mp4", 8, ["-g", "250", "-bf", "3", "-b_strategy", "0"]),
    "MPEG-TS": ("a.ts", 8, ["-g", "40"]),
    "AVI": ("a.avi", 8, ["-g", "40"]),
    "interlaced": ("a.mp4", 6, ["-g", "20", "-flags", "+ilme+ildct", "-x264-params", "tff=1"]),
}


SOON = [
    ("key frames each second", False),
    ("key frames at the ends of intervals", False),
    ("a single key frame", True),
    ("MPEG-TS", False),
]
EACH = [
    pytest.param(case, encoded, marks=() if (case, encoded) in SOON else pytest.mark.slow)
    for case in CASES
    for encoded in (False, True)
]


@pytest.mark.parametrize(("case", "encoded"), EACH)
def test_each_tile_shows_its_own_seconds(case: str, encoded: bool, tmp_path: Path) -> None:
    name, seconds, options = CASES[case]
    size = "160x96" if case == "interlaced" else "160x90"
    source = telling_seconds(tmp_path / name, seconds, size=size, options=options)

    for every in (1, 2):
        tiles = made(source, tmp_path / str(every), encoded=encoded, interval_seconds=every)

        assert [tile.begin for tile in tiles] == [every * number for number in range(len(tiles))]
        assert tiles[-1].end == pytest.approx(seconds, abs=0.1)
        assert all(before.end == after.begin for before, after in pairwise(tiles))
        for tile in tiles:
            assert tile.begin - 0.3 <= tile.shows <= tile.begin + every - 0.7, (tile, tiles)


@pytest.mark.parametrize(("every", "needed"), [(1, "video-0"), (2, "video-copy")])
def test_a_copied_rendition_is_looked_at_where_each_tile_has_a_key_frame(
    every: int, needed: str, tmp_path: Path
) -> None:
    keys = ["-g", "50", "-sc_threshold", "0"]
    source = telling_seconds(tmp_path / "a.mp4", 12, size="320x180", options=keys)

    tiles = made(source, tmp_path / "out", encoded=True, copies=True, interval_seconds=every)

    assert (tmp_path / "out" / needed).is_dir()
    assert [tile.begin for tile in tiles] == [every * number for number in range(len(tiles))]
    assert all(tile.begin - 0.3 <= tile.shows <= tile.begin + every - 0.7 for tile in tiles), tiles


@pytest.mark.parametrize("encoded", [False, True], ids=["source", "rendition"])
def test_what_stands_still_is_shown_as_long_as_it_stands(encoded: bool, tmp_path: Path) -> None:
    """A screen that changes for two seconds, then not for seven, and then once more."""
    still = ["-vf", "select='lt(t,1.8)+gte(t,9)'", "-fps_mode", "vfr", "-g", "1000", "-bf", "2"]
    source = telling_seconds(tmp_path / "a.mp4", 12, options=still)

    tiles = made(source, tmp_path / "out", encoded=encoded, interval_seconds=1)

    assert [round(tile.shows) for tile in tiles] == [0, 1, 1, 1, 1, 1, 1, 1, 1, 9, 10, 11]


@pytest.mark.parametrize("encoded", [False, True], ids=["source", "rendition"])
def test_times_are_the_presentation_s(encoded: bool, tmp_path: Path) -> None:
    """The picture begins three seconds after the sound, and until then is what it begins with."""
    late = ["-vf", "trim=start=3", "-fps_mode", "vfr", "-g", "50"]
    source = telling_seconds(tmp_path / "a.mp4", 9, options=late)

    tiles = made(source, tmp_path / "out", encoded=encoded, interval_seconds=1)

    assert [round(tile.shows) for tile in tiles] == [3, 3, 3, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("encoded", [False, True], ids=["source", "rendition"])
def test_tiles_are_as_a_viewer_sees_the_picture(encoded: bool, tmp_path: Path) -> None:
    source = clips.rotated(tmp_path / "a.mp4", degrees=90, seconds=2.0)

    tiles = made(source, tmp_path / "out", encoded=encoded, max_side=64)

    assert {(tile.width, tile.height) for tile in tiles} == {(36, 64)}


def test_many_tiles_are_on_several_sheets(tmp_path: Path) -> None:
    source = telling_seconds(tmp_path / "a.mp4", 70, options=["-g", "300", "-sc_threshold", "0"], rate="10")
    media = probed(source, PROCESSES)
    (task,) = Storyboard().plan(media, StepSpec(NAME), profile_of(StepSpec(NAME)))
    board = replace(from_json(Board, task.params), every_seconds=1, count=70)

    assert [len(tiles) for tiles in sheets_of(replace(board, count=201))] == [100, 100, 1]
    assert "storyboard-1.jpg#xywh=160,90,160,90" in webvtt(replace(board, count=200))
    tiles = made(source, tmp_path / "out", encoded=False, interval_seconds=1)
    assert [round(tile.shows) for tile in tiles] == list(range(70))


@pytest.mark.parametrize(
    ("seconds", "params", "expected"),
    [
        (10.0, {}, (2, 5)),
        (0.04, {}, (2, 1)),
        (60.3, {"interval_seconds": 1}, (1, 60)),
        (60.6, {"interval_seconds": 1}, (1, 61)),
        (7200.0, {}, (36, 200)),
        (86400.0, {"interval_seconds": 5}, (432, 200)),
        (7200.0, {"interval_seconds": 600}, (600, 12)),
    ],
)
def test_longer_videos_have_longer_intervals(seconds: float, params: dict[str, Any], expected: tuple[int, int]) -> None:
    media = replace(with_video(duration_seconds=seconds), duration_seconds=seconds)
    board = board_of(media, **params)

    assert (board.every_seconds, board.count) == expected
    assert board.count <= MOST_TILES


def test_the_last_tile_stands_for_sound_that_goes_on() -> None:
    assert board_of(replace(MEDIA, duration_seconds=14.5)).end_seconds == 14.5


def test_it_waits_for_the_smallest_rendition_where_there_is_one() -> None:
    def task(*steps: StepSpec) -> PlannedTask:
        (found,) = Storyboard().plan(MEDIA, StepSpec(NAME), profile_of(*steps, StepSpec(NAME)))
        return found

    with_rendition, alone = task(QUICK), task()
    assert (with_rendition.needs, alone.needs) == (("video-low",), ())
    assert (with_rendition.optional, with_rendition.rank, with_rendition.load_units) == (True, 2, 1)
    assert with_rendition.weight < alone.weight
    assert with_rendition.makes == ("storyboard.vtt", "storyboard-0.jpg")
    assert Storyboard().plan(replace(MEDIA, video=None), StepSpec(NAME), profile_of(StepSpec(NAME))) == []


def test_only_segments_that_are_needed_are_read() -> None:
    assert first_in_each([4.0] * 20, 8, 10) == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]
    assert first_in_each([4.004] * 20, 36, 3) == [0, 9, 18]
    assert first_in_each([4.0] * 3, 2, 6) == [0, 1, 2]


def damaged(step: Step, path: Path, root: Path, described_by: Path) -> Sequence[Artifact]:
    media, spec = probed(described_by, PROCESSES), StepSpec(step.name)
    (task,) = step.plan(media, spec, profile_of(spec))
    return run_task(step, task, media, path, root, PROCESSES)


def test_damaged_media_have_what_can_be_seen_or_are_refused(tmp_path: Path) -> None:
    good = clips.make_clip(tmp_path / "good.mp4", seconds=5.0)
    short = clips.make_clip(tmp_path / "short.mp4", seconds=1.5)
    bad = clips.scrambled(tmp_path / "bad.mp4", seconds=2.0)

    assert [a.role for a in damaged(Storyboard(), short, tmp_path / "0", good)] == ["storyboard", "image"]
    with pytest.raises(MediaRejected, match="damaged"):
        damaged(Storyboard(), bad, tmp_path / "1", good)
