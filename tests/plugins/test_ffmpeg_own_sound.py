"""Sound that players have as it is: its packets become segments, all of them and in parts, and what is damaged not."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from mediaflow.domain.media import SoundPackets
from mediaflow.media.copyable import copyable
from mediaflow.plugin import Artifact, MediaInfo, MediaRejected, Part, PlannedTask, Profile, Rung, StepSpec
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing import measure
from mediaflow.testing.clips import run_ffmpeg
from mediaflow.testing.steps import probed, profile_of, run_task
from mediaflow_ffmpeg.audio import AacAudio
from tests.plugins.ffmpeg_media import MEDIA
from tests.services.working import asset_of, ingest, published_file, work, working_world
from tests.services.world import World

PROCESSES = SandboxedRunner("bwrap")
SECONDS: Final = 19.6
LADDER: Final = (Rung("180p", 180, 300_000, 128_000), Rung("90p", 90, 90_000, 64_000))
PROFILE: Final = """
name: copies
description: The sound is the source's own.
segment_seconds: 2
frame_rate_max: 60
ladder:
  - {name: 180p, height: 180, video_bitrate_bps: 900000, audio_bitrate_bps: 128000}
  - {name: 90p, height: 90, video_bitrate_bps: 200000, audio_bitrate_bps: 64000}
steps:
  - {step: video.h264, params: {preset: ultrafast, crf: 20}}
  - {step: audio.aac}
manifests: [hls]
copies: true
"""
PACKETS: Final = SoundPackets(919, 1024, 48000, 2, 1024, 120_000, 130_000)


def film(path: Path, *options: str, sound: str = "sine=440:sample_rate=48000", seconds: float = SECONDS) -> Path:
    """A picture with key frames every two seconds and a sound beside it."""
    picture = f"testsrc2=size=320x180:rate=25:duration={seconds}"
    inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", f"{sound}:duration={seconds}"]
    video = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-pix_fmt", "yuv420p"]
    run_ffmpeg([*inputs, *video, "-c:a", "aac", "-ac", "2", "-b:a", "128k", *options, str(path)])
    return path


def copying(steps: Sequence[StepSpec] = (StepSpec("audio.aac"), StepSpec("video.h264"))) -> Profile:
    return replace(profile_of(*steps, ladder=LADDER), copies=True)


def planned(media: MediaInfo, profile: Profile | None = None) -> dict[str, PlannedTask]:
    profile = profile or copying()
    return {task.name: task for task in AacAudio().plan(media, profile.steps[0], profile)}


def packets(path: Path, stream: str = "a:0") -> list[str]:
    """What each packet is, in its order."""
    argv = ["ffmpeg", "-v", "error", "-i", str(path), "-map", f"0:{stream}", "-c", "copy", "-f", "framemd5", "-"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.split(",")[5] for line in said if not line.startswith("#")]


def joined(made: Sequence[Artifact], work: Path) -> list[str]:
    return packets(measure.joined(work / "joined.mp4", [work / each.path for each in made]))


def test_the_packets_of_the_source_are_the_segments(tmp_path: Path) -> None:
    source = film(tmp_path / "film.mp4")
    media, work = probed(source, PROCESSES), tmp_path / "work"
    tasks = planned(media)
    assert {name: (t.makes, t.rank, t.segments, t.optional) for name, t in tasks.items()} == {
        "audio-copy-first": (("audio-128k",), 0, 0, True),
        "audio-copy": (("audio-128k",), 1, 10, True),
        "audio-first": (("audio-64k",), 0, 0, True),
        "audio": (("audio-64k",), 1, 10, False),
    }

    made = run_task(AacAudio(), tasks["audio-copy"], media, source, work, PROCESSES)

    assert joined(made, work) == packets(source)
    assert made[0].foretells is None
    first = run_task(AacAudio(), tasks["audio-copy-first"], media, source, tmp_path / "first", PROCESSES)
    told = first[0].foretells
    assert told is not None
    assert sum(count for count, _ in told.runs) == 10 == len(made) - 1
    assert (tmp_path / "first" / first[0].path).read_bytes() == (work / made[0].path).read_bytes()
    assert (tmp_path / "first" / first[1].path).read_bytes() == (work / made[1].path).read_bytes()


@pytest.mark.parametrize("part", [(0, 3), (1, 1), (4, 5), (9, 1), (0, 10), (3, 0)])
def test_parts_are_what_the_whole_is_there(part: tuple[int, int], tmp_path: Path) -> None:
    source = film(tmp_path / "film.mp4", sound="sine=440:sample_rate=44100")
    media = probed(source, PROCESSES)
    task = planned(media)["audio-copy"]
    whole = run_task(AacAudio(), task, media, source, tmp_path / "whole", PROCESSES)

    asked = Part(("audio-128k",), *part)
    made = run_task(AacAudio(), task, media, source, tmp_path / "part", PROCESSES, part=asked)

    first, count = part
    wanted = [whole[0], *whole[1 + first : 1 + first + count]]
    assert [(tmp_path / "part" / each.path).read_bytes() for each in made] == [
        (tmp_path / "whole" / each.path).read_bytes() for each in wanted
    ]


@pytest.mark.parametrize("priming", [0, 736, 1024, 2112])
def test_the_sound_stays_at_its_place_whatever_its_encoder_said_before(priming: int, tmp_path: Path) -> None:
    # given a film whose first beep is at 2 s, and an edit list that says where its sound begins
    beeps = "aevalsrc='if(lt(mod(t,2),0.05)*gt(t,1),sin(2*PI*1000*t),0)':s=48000"
    source = _with_media_time(film(tmp_path / "film.mp4", sound=beeps), 1024, priming)
    media, work = probed(source, PROCESSES), tmp_path / "work"
    assert media.audio is not None
    assert media.audio.packets is not None
    assert media.audio.packets.priming_samples == priming

    made = run_task(AacAudio(), planned(media)["audio-copy"], media, source, work, PROCESSES)

    assert joined(made, work) == packets(source)[: media.audio.packets.count]
    begins = measure.joined(work / "timed.mp4", [work / each.path for each in made])
    argv = ["ffprobe", "-v", "error", "-show_entries", "packet=pts_time", "-of", "csv=p=0", str(begins)]
    first = float(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()[0].rstrip(","))
    assert first == pytest.approx(1 - priming / 48000, abs=1e-5)


def _with_media_time(path: Path, before: int, after: int) -> Path:
    """The same file with another beginning in the edit list of its sound, the last one."""
    data = bytearray(path.read_bytes())
    place = data.rindex(b"elst") + 16
    assert int.from_bytes(data[place : place + 4], "big") == before
    data[place : place + 4] = after.to_bytes(4, "big")
    path.write_bytes(data)
    return path


def _damaged(path: Path, first: int) -> Path:
    """Five packets of a film's sound are garbage."""
    source = film(path, sound="anoisesrc=sample_rate=48000")
    data = bytearray(source.read_bytes())
    for begin, end in _places(source)[first : first + 5]:
        data[begin:end] = bytes(byte ^ 0x5A for byte in data[begin:end])
    source.write_bytes(data)
    return source


@pytest.mark.parametrize("part", [None, Part(("audio-128k",), 4, 2)])
def test_damaged_sound_is_not_taken_as_it_is(part: Part | None, tmp_path: Path) -> None:
    source = _damaged(tmp_path / "film.mp4", 400)
    media = probed(source, PROCESSES)

    with pytest.raises(MediaRejected, match="its sound can't be taken as it is"):
        run_task(AacAudio(), planned(media)["audio-copy"], media, source, tmp_path / "work", PROCESSES, part=part)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("world")
    (root / "profiles").mkdir()
    (root / "profiles" / "copies.yaml").write_text(PROFILE)
    with working_world(root) as world:
        yield world


@pytest.mark.parametrize("damaged", [False, True])
def test_a_film_has_its_own_sound_or_is_encoded_after_all(world: World, damaged: bool, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    asset_id = ingest(world, _damaged(path, 400) if damaged else film(path), profile="copies")
    work(world)
    asset = asset_of(world, asset_id)

    assert asset.state == "ready", asset.error
    assert asset.not_copied == ("it could not be cut as it is" if damaged else None)
    assert asset.published is not None
    assert [each["name"] for each in asset.published.renditions] == ["180p", "90p"]
    (manifest,) = [output.path for output in asset.published.of_kind("manifest")]
    names = re.findall(r'URI="(audio-[^"]*)\.m3u8"', published_file(world, asset, manifest).decode())
    assert names == ["audio-128k", "audio-64k"]
    last = world.runtime.database.jobs.find({"asset_id": asset_id}, sort=("-generation",))[0]
    assert last.plan is not None
    assert [each["copied"] for each in last.plan["audio"]] == [not damaged, False]


def _places(path: Path) -> list[tuple[int, int]]:
    """Where each packet of sound lies."""
    entries = ["-select_streams", "a", "-show_entries", "packet=pos,size", "-of", "csv=p=0"]
    said = subprocess.run(["ffprobe", "-v", "error", *entries, str(path)], capture_output=True, text=True, check=True)
    found = [[int(each) for each in line.split(",")[:2]] for line in said.stdout.split()]
    return [(position, position + size) for size, position in found]


@pytest.mark.parametrize(
    ("options", "sound"),
    [
        (("-ac", "6"), "sine=440:sample_rate=48000"),
        ((), "sine=440:sample_rate=32000"),
        (("-c:a", "libmp3lame"), "sine=440:sample_rate=48000"),
        (("-movflags", "frag_keyframe+empty_moov"), "sine=440:sample_rate=48000"),
    ],
)
def test_other_sound_is_none(options: Sequence[str], sound: str, tmp_path: Path) -> None:
    assert copyable(film(tmp_path / "film.mp4", *options, sound=sound, seconds=2)).sound == {}


@pytest.mark.parametrize(
    ("change", "copied"),
    [
        ({}, ["audio-128k"]),
        ({"packets": replace(PACKETS, average_bps=140_000)}, ["audio-128k"]),
        # less than the smallest size has of sound: it is the only one
        ({"packets": replace(PACKETS, average_bps=66_000, peak_bps=90_000)}, ["audio-64k"]),
        ({"packets": replace(PACKETS, average_bps=66_000, peak_bps=99_000)}, ["audio-128k"]),
        # more bits than the largest size's sound is worth
        ({"packets": replace(PACKETS, average_bps=145_000)}, []),
        ({"packets": replace(PACKETS, peak_bps=195_000)}, []),
        ({"packets": None}, []),
        # silence before it is made
        ({"start_seconds": 0.5}, []),
    ],
)
def test_sound_is_copied_where_it_fits(change: dict[str, object], copied: list[str]) -> None:
    assert MEDIA.audio is not None
    audio = replace(MEDIA.audio, **{"packets": PACKETS, "start_seconds": 0.0, **change})  # type: ignore[arg-type]
    tasks = planned(replace(MEDIA, audio=audio))
    assert list(tasks["audio-copy"].makes if "audio-copy" in tasks else []) == copied


def test_sound_of_a_wished_loudness_is_not_copied() -> None:
    assert MEDIA.audio is not None
    media = replace(MEDIA, audio=replace(MEDIA.audio, packets=PACKETS, start_seconds=0.0))
    spec = StepSpec("audio.aac", {"loudness_lufs": -16})
    assert "audio-copy" not in planned(media, copying([spec, StepSpec("video.h264")]))
    assert "audio-copy" not in planned(media, replace(copying(), copies=False))
