"""A source that is its own largest rendition: cut, not encoded, with the others beside it on the same grid."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from mediaflow.domain.records import Asset
from mediaflow.media.groups import place_of
from mediaflow.media.sampletables import read_tracks_ahead
from mediaflow.plugin import Part, PlannedTask, StepSpec, TaskFailed, from_json, read_track
from mediaflow.registry.profiles import parse_profile
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing.clips import run_ffmpeg
from mediaflow.testing.measure import beep_times, flash_times, joined
from mediaflow.testing.steps import probed, run_task
from mediaflow_ffmpeg.jobs import VideoJob
from mediaflow_ffmpeg.units import check_units
from mediaflow_ffmpeg.video import H264Video
from tests.services.working import asset_of, ingest, published_file, work, working_world
from tests.services.world import World

PROCESSES = SandboxedRunner("bwrap")
PROFILE = """
name: copies
description: The largest size is the source's own.
segment_seconds: 2
frame_rate_max: 60
ladder:
  - {name: 180p, height: 180, video_bitrate_bps: 3000000, audio_bitrate_bps: 64000}
  - {name: 90p, height: 90, video_bitrate_bps: 200000, audio_bitrate_bps: 64000}
steps:
  - {step: video.h264, params: {preset: ultrafast, crf: 20}}
  - {step: audio.aac}
manifests: [hls]
downloads: [mp4]
copies: true
"""


@dataclass(frozen=True)
class Cut:
    """How the source is encoded, and the frames of the segments that it is cut into."""

    options: tuple[str, ...]
    segments: tuple[int, ...]


EVENLY = Cut(("-g", "17", "-keyint_min", "17"), (51, 51, 51, 51, 51, 20))
_KEYS = "0,0.8,2.6,3,6.4,6.8,8.2,10.4"
UNEVENLY = Cut(("-g", "500", "-force_key_frames", _KEYS), (65, 95, 45, 55, 15))


@pytest.fixture(scope="module", params=[EVENLY, UNEVENLY], ids=["evenly", "unevenly"])
def cut(request: pytest.FixtureRequest) -> Cut:
    chosen: Cut = request.param
    return chosen


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, cut: Cut) -> Path:
    """A flash and a beep a second, with frames that are shown before those that they refer to."""
    path = tmp_path_factory.mktemp("copying") / "source.mp4"
    picture = "color=black:size=320x180:rate=25:duration=11,drawbox=c=white:t=fill:enable='lt(mod(n,25),2)'"
    noise = f"{picture},noise=c0s=6:c0f=t"
    sound = "sine=1000:sample_rate=48000:duration=11,volume='if(lt(mod(t,1),0.08),1,0)':eval=frame"
    inputs = ["-f", "lavfi", "-i", noise, "-f", "lavfi", "-i", sound]
    codecs = ["-c:v", "libx264", *cut.options, "-sc_threshold", "0", "-bf", "3", "-pix_fmt", "yuv420p"]
    told = ["-metadata", "title=secret", "-c:a", "aac"]
    run_ffmpeg([*inputs, *codecs, *told, "-shortest", str(path)])
    return path


def tasks_of(source: Path) -> dict[str, PlannedTask]:
    profile = parse_profile(PROFILE, "copies.yaml")
    spec = StepSpec("video.h264", {"preset": "ultrafast", "crf": 20})
    return {task.name: task for task in H264Video().plan(probed(source, PROCESSES), spec, profile)}


def made(source: Path, task: PlannedTask, part: Part | None, work: Path) -> Path:
    run_task(H264Video(), task, probed(source, PROCESSES), source, work, PROCESSES, part=part)
    return work


def test_its_first_segment_opens_and_nobody_waits_for_the_smallest(source: Path) -> None:
    tasks = tasks_of(source)

    assert {name: (task.rank, set(task.makes)) for name, task in tasks.items()} == {
        "video-copy-first": (0, {"180p"}),
        "video-copy": (1, {"180p"}),
        "video-inits": (0, {"90p"}),
        "video-0": (2, {"90p"}),
    }
    assert tasks["video-copy"].optional


def test_what_ends_nobody_knows_where_is_encoded_evenly(source: Path) -> None:
    media = replace(probed(source, PROCESSES), declared_duration_seconds=14.0)
    spec = StepSpec("video.h264", {"preset": "ultrafast", "crf": 20})
    (task,) = H264Video().plan(media, spec, parse_profile(PROFILE, "copies.yaml"))

    job = from_json(VideoJob, task.params)
    assert (task.name, task.makes) == ("video-0", ("180p", "90p"))
    assert (job.grid.begins, job.group_seconds) == ((), None)


@pytest.mark.parametrize("name", ["video-copy", "video-0"])
def test_parts_are_what_the_whole_is_there(source: Path, cut: Cut, name: str, tmp_path: Path) -> None:
    task = tasks_of(source)[name]
    whole = made(source, task, Part(task.makes, 0, len(cut.segments)), tmp_path / "whole") / task.makes[0]
    all_of_it = read_track(whole, first=0)
    assert tuple(segment.sample_count for segment in all_of_it.segments) == cut.segments
    for first, count in ((0, 1), (1, 2), (3, 1), (len(cut.segments) - 2, 2), (2, 0)):
        part = made(source, task, Part(task.makes, first, count), tmp_path / f"{first}-{count}") / task.makes[0]
        assert (part / "init.mp4").read_bytes() == (whole / "init.mp4").read_bytes()
        if not count:
            continue
        told = [(s.decode_time, s.duration, s.sample_count) for s in read_track(part, first=first).segments]
        of_whole = all_of_it.segments[first : first + count]
        assert told == [(s.decode_time, s.duration, s.sample_count) for s in of_whole]


def test_what_a_part_reads_of_the_source_is_what_it_shows(source: Path, cut: Cut) -> None:
    task = tasks_of(source)["video-copy"]
    assert task.reads is not None
    begins = [sum(cut.segments[:number]) / 25 for number in range(len(cut.segments) + 1)]
    for first in range(len(cut.segments) - 1):
        reads = task.reads.of_part(first, 1, task.segments)
        assert (reads.begin_seconds, reads.end_seconds) == pytest.approx((begins[first], begins[first + 1]), abs=0.25)


def test_what_does_not_come_out_as_counted_fails_in_a_sentence(source: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    data = bytearray(source.read_bytes())
    track = next(t for t in read_tracks_ahead(source).tracks.values() if len(t.shown) == 275)
    at, _ = place_of(track, 60)
    data[at : at + 4] = b"\xff\xff\xff\xff"
    broken.write_bytes(data)
    task = tasks_of(source)["video-copy"]

    with pytest.raises(TaskFailed, match="can't be cut into 180p as it is; a profile without `copies` encodes it"):
        made(broken, task, Part(("180p",), 0, task.segments), tmp_path / "work")


@pytest.mark.parametrize(
    ("first", "length", "why"),
    [
        (12, 1, "unit of type 12"),
        (7, 1, "unit of type 7"),
        (5, 1 << 20, "a unit is cut off"),
        (9, 0, "256 units a pic"),
    ],
)
def test_all_that_is_shown_as_it_is_is_looked_at(
    source: Path, tmp_path: Path, first: int, length: int, why: str
) -> None:
    task = tasks_of(source)["video-copy"]
    made(source, task, Part(task.makes, 0, task.segments), tmp_path / "work")
    path = tmp_path / "work" / "180p" / "00001.m4s"
    data = bytearray(path.read_bytes())
    at = data.index(b"mdat") + 4
    check_units(track := read_track(path.parent, first=0))
    if length:
        data[at : at + 5] = (length if length > 1 else int.from_bytes(data[at : at + 4])).to_bytes(4) + bytes([first])
    else:
        units = (b"\0\0\0\2" + bytes([first, 0xF0])) * (257 * track.segments[1].sample_count)
        data[at - 8 : at - 4] = (int.from_bytes(data[at - 8 : at - 4]) + len(units)).to_bytes(4)
        data[at:at] = units
    path.write_bytes(data)

    with pytest.raises(TaskFailed, match=why):
        check_units(track)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("world")
    (root / "profiles").mkdir()
    (root / "profiles" / "copies.yaml").write_text(PROFILE)
    with working_world(root) as world:
        yield world


@pytest.fixture(scope="module")
def asset(world: World, source: Path) -> Asset:
    asset_id = ingest(world, source, profile="copies")
    work(world)
    asset = asset_of(world, asset_id)
    assert asset.published is not None, asset.error
    assert asset.published.warnings == ()
    return asset


def track(world: World, asset: Asset, name: str, directory: Path) -> Path:
    """One file of all of a track, as players put it together."""
    assert asset.published is not None
    (master,) = [output.path for output in asset.published.of_kind("manifest")]
    lines = published_file(world, asset, urljoin(master, f"{name}.m3u8")).decode().splitlines()
    places = [line.split('"')[1] for line in lines if "EXT-X-MAP" in line]
    places += [line for line in lines if line and not line.startswith("#")]
    files = []
    for number, place in enumerate(places):
        files.append(directory / f"{name}-{number}")
        files[-1].write_bytes(published_file(world, asset, urljoin(master, place)))
    return joined(directory / f"{name}.mp4", files)


def frames(file: Path) -> list[str]:
    argv = ["ffmpeg", "-v", "error", "-i", str(file), "-map", "0:v", "-f", "framehash", "-hash", "md5", "-"]
    told = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return [line.rpartition(",")[2].strip() for line in told.splitlines() if not line.startswith("#")]


def test_viewers_get_the_very_pictures_of_the_source(world: World, asset: Asset, source: Path, tmp_path: Path) -> None:
    copied = track(world, asset, "180p", tmp_path)

    assert frames(copied) == frames(source)
    assert b"x264" in source.read_bytes()
    assert b"x264" not in copied.read_bytes(), "messages beside the pictures are not delivered"


def test_other_sizes_and_the_sound_are_in_step_with_it(world: World, asset: Asset, tmp_path: Path) -> None:
    files = {name: track(world, asset, name, tmp_path) for name in ("180p", "90p", "audio-64k")}
    flashes, beeps = flash_times(files["180p"]), beep_times(files["audio-64k"])

    assert flashes == pytest.approx(flash_times(files["90p"]), abs=0.001)
    assert len(flashes) == 10, "the first one is there from the beginning"
    assert flashes == pytest.approx(beeps[1:], abs=0.04)


def test_all_sizes_have_the_same_segments(world: World, asset: Asset, cut: Cut) -> None:
    found: dict[str, dict[int, Any]] = {}
    for each in world.runtime.database.segments.find({"asset_id": asset.id}):
        if each.number >= 0:
            found.setdefault(each.track, {})[each.number] = round(each.duration_seconds, 3)

    assert found["180p"] == found["90p"] == {n: count / 25 for n, count in enumerate(cut.segments)}


def no_such_unit(data: bytearray, at: int, _end: int) -> None:
    data[at : at + 4] = b"\xff\xff\xff\xff"


def garbage(data: bytearray, at: int, end: int) -> None:
    begin = at + 40  # behind what tells of the picture
    data[begin:end] = bytes((7 * place) % 251 for place in range(end - begin))


BROKEN: dict[Cut, tuple[Callable[[bytearray, int, int], None], str]] = {
    EVENLY: (no_such_unit, "it could not be cut as it is"),
    UNEVENLY: (garbage, "its pictures can't all be decoded"),
}


def test_what_can_not_be_shown_as_it_is_is_encoded_after_all(
    world: World, source: Path, tmp_path: Path, cut: Cut
) -> None:
    broken_by, why = BROKEN[cut]
    broken = tmp_path / "broken.mp4"
    data = bytearray(source.read_bytes())
    track = next(t for t in read_tracks_ahead(source).tracks.values() if len(t.shown) == 275)
    broken_by(data, *place_of(track, 180))  # in the middle: ends are decoded
    broken.write_bytes(data)
    asset_id = ingest(world, broken, profile="copies")
    work(world)
    asset = asset_of(world, asset_id)

    assert (asset.state, asset.generation, asset.not_copied) == ("ready", 2, why), asset.error
    assert asset.published is not None
    assert [each["name"] for each in asset.published.renditions] == ["180p", "90p"]
    assert asset.published.warnings == ()
    first, second = world.runtime.database.jobs.find({"asset_id": asset_id}, sort=("generation",))
    assert first.plan is not None
    assert second.plan is not None
    assert (first.plan["video"][0]["copied"], second.plan["video"][0]["copied"]) == (True, False)
    assert second.plan["not_copied"] == why
