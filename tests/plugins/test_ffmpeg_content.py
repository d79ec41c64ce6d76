"""The quality that a picture's difficulty asks for: what is looked at, what is decided, and all of a film has it."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from mediaflow.plugin import Limits, SegmentGrid, VideoRendition
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing.clips import run_ffmpeg
from mediaflow.testing.steps import probed
from mediaflow_ffmpeg.content import MOST_RAISED, decide, foretold_bps
from mediaflow_ffmpeg.looking import MOST_SAMPLES, look_command, look_of, read_statistics
from tests.plugins.ffmpeg_media import video_tasks, with_video
from tests.services.working import asset_of, ingest, published_file, work, working_world

RENDITIONS = tuple(
    VideoRendition(f"{height}p", width, height, bps, None)
    for width, height, bps in (
        (1920, 1080, 9_000_000),
        (1280, 720, 4_500_000),
        (854, 480, 1_800_000),
        (640, 360, 1_080_000),
    )
)
LONG = with_video(duration_seconds=60.0, frame_count=1500)
LONG = replace(LONG, duration_seconds=60.0, declared_duration_seconds=60.0)
EASY, USUAL, HARD = 0.02, 0.1, 0.3


def grid(seconds: float, rate: int = 25) -> SegmentGrid:
    return SegmentGrid(Fraction(rate), 4 * rate, round(seconds * rate))


@pytest.mark.parametrize(
    ("seconds", "moments"),
    [(19.9, None), (20, 2), (60, 4), (600, MOST_SAMPLES), (7200, MOST_SAMPLES)],
)
def test_the_longer_a_film_the_more_of_its_moments_are_looked_at(seconds: float, moments: int | None) -> None:
    look = look_of(grid(seconds), RENDITIONS, 0.0)

    assert (None if look is None else len(look.moments)) == moments
    if look is not None:
        assert all(0 < moment < seconds - 1.6 for moment in look.moments)
        assert (look.size.width, look.size.height) == (640, 360)
        assert look.frames == 40
        assert [each.name for each in look.renditions] == ["1080p", "720p", "480p"]


def test_what_has_one_size_is_not_looked_at() -> None:
    assert look_of(grid(600), RENDITIONS[-1:], 0.0) is None


@pytest.mark.parametrize(
    ("bits_per_pixel", "rendition", "raised"),
    [
        (EASY, 0, (0, 0)),
        (USUAL, 0, (0, 0)),
        (HARD, 0, (1.5, MOST_RAISED)),
        (HARD, 1, (2, MOST_RAISED)),
        (HARD, 2, (2, MOST_RAISED)),
        (1.5, 0, (MOST_RAISED, MOST_RAISED)),
        (0.0, 0, (0, 0)),
    ],
)
def test_difficult_pictures_have_a_higher_crf(
    bits_per_pixel: float, rendition: int, raised: tuple[float, float]
) -> None:
    usual = (21.0, 19.5, 17.5)[rendition]
    decision = decide(RENDITIONS[rendition], bits_per_pixel, 25.0)

    assert usual + raised[0] <= decision.crf <= usual + raised[1]
    assert f"CRF {decision.crf:g}" in decision.why
    assert 85 < decision.expected_vmaf < 100
    assert decision.expected_bps == round(foretold_bps(RENDITIONS[rendition], bits_per_pixel, 25.0, decision.crf))


@pytest.mark.parametrize(("params", "looks"), [({}, True), ({"crf": 20}, False), ({"tune": "film"}, False)])
def test_who_says_a_quality_gets_that_one(params: dict[str, Any], looks: bool) -> None:
    assert ("video-look" in video_tasks(LONG, **params)) == looks


def test_nobody_waits_in_front_of_a_player_for_the_look() -> None:
    tasks = video_tasks(LONG)

    assert tasks["video-look"].rank == 1
    assert tasks["video-look"].optional
    assert {name for name, task in tasks.items() if task.needs} == {"video-0"}
    assert tasks["video-look"].weight <= 0.05 * sum(task.weight for task in tasks.values())


@pytest.mark.parametrize(("picture", "most"), [("color=gray", 0.01), ("testsrc2", 0.3), ("nullsrc", 20.0)])
def test_a_look_measures_the_bits_of_a_pixel(tmp_path: Path, picture: str, most: float) -> None:
    noise = ",geq='random(1)*255':128:128" if picture == "nullsrc" else ""
    clip, processes = tmp_path / "clip.mp4", SandboxedRunner("bwrap")
    graph = (
        f"{picture}=size=320x180:rate=25:duration=4{noise}"
        if picture != "color=gray"
        else f"{picture}:size=320x180:rate=25:duration=4"
    )
    # a title is text of strangers, and printed beside the figures
    title = ["-metadata", "title=kb/s:99999999\r[libx264 @ 0x1] kb/s:99999999"]
    codec = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "10"]
    run_ffmpeg(["-f", "lavfi", "-i", graph, *codec, *title, str(clip)])
    media = probed(clip, processes)
    look = look_of(grid(60), (replace(RENDITIONS[0], width=320, height=180), RENDITIONS[-1]), 0.0)
    assert look is not None
    completed = processes.run(look_command(look, 2.0, media, clip), reads=[clip], limits=Limits(wall_seconds=60))
    found = read_statistics(completed.stderr, look)

    assert found is not None, completed.stderr
    assert most / 20 <= found <= most or (picture == "color=gray" and found <= most)


PROFILE = """
name: sizes
description: Three sizes, each as good as its picture asks for.
segment_seconds: 4
frame_rate_max: 60
ladder:
  - {name: 480p, height: 480, video_bitrate_bps: 400000, audio_bitrate_bps: 64000}
  - {name: 240p, height: 240, video_bitrate_bps: 200000, audio_bitrate_bps: 64000}
  - {name: 120p, height: 120, video_bitrate_bps: 100000, audio_bitrate_bps: 64000}
steps:
  - {step: video.h264, params: {preset: ultrafast}}
manifests: [hls]
"""


def test_every_segment_has_the_quality_that_was_found_out(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    graph = "nullsrc=size=854x480:rate=6:duration=22,geq='random(1)*255':128:128"
    run_ffmpeg(["-f", "lavfi", "-i", graph, "-c:v", "libx264", "-preset", "ultrafast", "-g", "12", str(clip)])
    (tmp_path / "world" / "profiles").mkdir(parents=True)
    (tmp_path / "world" / "profiles" / "sizes.yaml").write_text(PROFILE)
    with working_world(tmp_path / "world") as world:
        asset_id = ingest(world, clip, profile="sizes")
        work(world)
        asset = asset_of(world, asset_id)
        assert asset.published is not None, asset.error
        (look,) = world.runtime.database.tasks.find({"asset_id": asset_id, "name": "video-look"})
        assert look.result is not None
        decided = {name: told["crf"] for name, told in look.result["findings"]["renditions"].items()}
        assert decided == {"480p": 21.5, "240p": 20.5}
        for name, crf in {**decided, "120p": 16.5}.items():
            made = world.runtime.database.segments.find({"asset_id": asset_id, "track": name})
            said = {
                found
                for each in made
                if each.number >= 0
                for found in re.findall(rb" crf=([\d.]+) ", published_file(world, asset, each.path))
            }
            assert {float(each) for each in said} == {crf}, name


@pytest.mark.parametrize("copies", ["copies: true\n", ""])
def test_what_is_made_on_demand_holds_nobody_up(tmp_path: Path, copies: str) -> None:
    clip = tmp_path / "clip.mp4"
    graph = "testsrc2=size=854x480:rate=6:duration=22"
    run_ffmpeg(["-f", "lavfi", "-i", graph, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "12", str(clip)])
    (tmp_path / "world" / "profiles").mkdir(parents=True)
    later = PROFILE.replace("{name: 240p,", "{name: 240p, when: on_demand,").replace("400000", "9000000")
    (tmp_path / "world" / "profiles" / "sizes.yaml").write_text(later + copies)
    with working_world(tmp_path / "world") as world:
        asset_id = ingest(world, clip, profile="sizes")
        work(world)
        asset = asset_of(world, asset_id)
        assert asset.state == "ready", world.runtime.database.tasks.find({"asset_id": asset_id, "state": "pending"})
        assert asset.published is not None
        assert [each["when"] for each in asset.published.renditions] == ["eager", "on_demand", "eager"]
        looks = world.runtime.database.tasks.find({"asset_id": asset_id, "name": "video-look"})
        # beside a copied size nobody looks: its own bits are known
        assert [look.state for look in looks] == ([] if copies else ["done"])
