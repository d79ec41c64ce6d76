"""Parts of a film are what the whole is there, with real ffmpeg: numbers, times, lengths, init segments, damage."""

from __future__ import annotations

import hashlib
import subprocess
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from mediaflow.plugin import (
    Artifact,
    Completed,
    MediaInfo,
    MediaRejected,
    Part,
    PlannedTask,
    ProcessRunner,
    Rung,
    Step,
    StepSpec,
    StepTask,
    Workspace,
    read_track,
)
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing import clips, measure
from mediaflow.testing.artifacts import check_told
from mediaflow.testing.steps import probed, profile_of
from mediaflow_ffmpeg.audio import AacAudio
from mediaflow_ffmpeg.video import H264Video
from tests.plugins.ffmpeg_media import MEDIA, video_tasks

PROCESSES = SandboxedRunner("bwrap")
SOUND_SECONDS = 19.6
QUICK: Final = {"preset": "ultrafast"}
SECONDS = 9.4
"""Four segments of two seconds, and a fifth that is shorter."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.make_clip(tmp_path_factory.mktemp("source") / "clip.mp4", seconds=SECONDS)


@pytest.fixture(scope="module")
def media(source: Path) -> MediaInfo:
    return probed(source, PROCESSES)


def planned(step: Step, media: MediaInfo, params: Mapping[str, Any] = QUICK) -> dict[str, PlannedTask]:
    spec = StepSpec(step.name, params if step.name == "video.h264" else {})
    return {task.name: task for task in step.plan(media, spec, profile_of(spec, StepSpec("video.h264")))}


def run(
    step: Step,
    task: PlannedTask,
    media: MediaInfo,
    source: Path,
    work: Path,
    part: Part | None,
    *,
    awaited: bool = False,
    told: list[Artifact] | None = None,
    processes: ProcessRunner = PROCESSES,
) -> list[Artifact]:
    """Make a part of a task; what it told of is checked."""
    work.mkdir(parents=True)
    told = [] if told is None else told
    workspace = Workspace(work, source, lambda _: None, processes, {}, {}, told.append)
    made = list(step.run(StepTask(task.name, task.params, media, part, awaited=awaited), workspace))
    check_told(told, made)
    return made


def sequence(file: Path) -> int:
    """The number of a segment's first fragment (ISO/IEC 14496-12, 8.8.5)."""
    data = file.read_bytes()
    at = data.index(b"mfhd") + 8
    return int.from_bytes(data[at : at + 4], "big")


def digests(made: list[Artifact], work: Path) -> dict[str | None, str]:
    """Of the init segments, by their tracks."""
    inits = [artifact for artifact in made if artifact.role == "init"]
    return {artifact.track: hashlib.md5((work / artifact.path).read_bytes()).hexdigest() for artifact in inits}


def test_all_init_segments_are_the_same(source: Path, media: MediaInfo, tmp_path: Path) -> None:
    tasks = planned(H264Video(), media)
    parts = [Part(("90p",), 0, 0), Part(("90p",), 0, 1), Part(("90p",), 2, 2), Part(("90p",), 4, 1)]

    found = []
    for number, part in enumerate(parts):
        made = run(H264Video(), tasks["video-low"], media, source, tmp_path / str(number), part)
        assert [artifact.number for artifact in made] == [None, *range(part.first, part.first + part.count)]
        assert made[0].foretells is not None
        assert made[0].foretells.runs == ((4, 2.0), (1, 1.4))
        for artifact in made[1:]:  # whoever made it: of a file the numbers increase
            assert sequence(tmp_path / str(number) / artifact.path) == (artifact.number or 0) + 1
        found.append(digests(made, tmp_path / str(number))["90p"])
    for name in ("video-first", "video-low"):
        found.append(
            digests(run(H264Video(), tasks[name], media, source, tmp_path / name, None), tmp_path / name)["90p"]
        )

    assert len(set(found)) == 1


HASTE: Final = (
    {"preset": "superfast", "profile": "high"},
    {"preset": "veryfast", "profile": "high"},
    {"preset": "veryfast", "profile": "main"},
    {"preset": "veryfast", "profile": "baseline"},
    {"preset": "veryfast", "tune": "animation"},
    {"preset": "veryfast", "tune": "fastdecode"},
    {"preset": "medium"},
)


@pytest.mark.parametrize("params", HASTE, ids=lambda params: "-".join(params.values()))
def test_a_segment_that_somebody_waits_for_fits_the_others(
    source: Path, media: MediaInfo, tmp_path: Path, params: dict[str, str]
) -> None:
    """The init segment is the same one, whatever is made in haste; the pictures are the same ones."""
    task, part = planned(H264Video(), media, params)["video-low"], Part(("90p",), 1, 3)
    found = []
    for awaited in (False, True):
        work = tmp_path / str(awaited)
        made = run(H264Video(), task, media, source, work, part, awaited=awaited)
        assert [artifact.number for artifact in made] == [None, 1, 2, 3]
        assert [sequence(work / artifact.path) for artifact in made[1:]] == [2, 3, 4]
        track = read_track(work / "90p", first=1)
        counted = [(segment.decode_time, segment.sample_count) for segment in track.segments]
        found.append((digests(made, work)["90p"], counted))

    assert found[0] == found[1]


def test_what_somebody_waits_for_is_whole_before_the_next_is_begun(
    source: Path, media: MediaInfo, tmp_path: Path
) -> None:
    task, commands, told = planned(H264Video(), media, {"preset": "veryfast"})["video-low"], [], list[Artifact]()

    class Noting(SandboxedRunner):
        """Notes how much was told of when a program begins, and what it is told."""

        def run(self, argv: Sequence[str], **options: Any) -> Completed:
            commands.append((len(told), argv[argv.index("-preset") + 1] if "-preset" in argv else ""))
            return super().run(argv, **options)

    made = run(
        H264Video(), task, media, source, tmp_path / "work", Part(("90p",), 1, 3), awaited=True, told=told,
        processes=Noting("bwrap"),
    )  # fmt: skip
    init, first, *_ = made
    assert commands[:2] == [(0, "superfast"), (2, "veryfast")]
    assert told[:2] == [init, first]


def test_a_size_has_one_init_segment_alone_and_beside_larger_ones(
    source: Path, media: MediaInfo, tmp_path: Path
) -> None:
    # 120p is 214x120: not quite 16:9
    ladder = tuple(Rung(f"{height}p", height, 300_000, 64_000) for height in (180, 120, 90))
    spec = StepSpec("video.h264", {"preset": "ultrafast"})
    tasks = {task.name: task for task in H264Video().plan(media, spec, profile_of(spec, ladder=ladder))}
    together = digests(
        run(H264Video(), tasks["video-inits"], media, source, tmp_path / "inits", None), tmp_path / "inits"
    )
    assert list(together) == ["180p", "120p"]

    alone = digests(
        run(H264Video(), tasks["video-0"], media, source, tmp_path / "alone", Part(("120p",), 4, 1)), tmp_path / "alone"
    )

    assert alone["120p"] == together["120p"]


ODD: Final = {
    # colour between the pixels; above them, and to be mapped to another range; in two fields
    "jpeg.mov": "-c:v mjpeg -pix_fmt yuvj420p",
    "hdr.mp4": (
        "-vf format=yuv420p10le,setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc -c:v libx265 "
        "-preset ultrafast -x265-params "
        "log-level=none:chromaloc=2:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"
    ),
    "fields.mp4": "-vf setfield=tff -c:v libx264 -preset ultrafast -flags +ildct+ilme",
}


@pytest.mark.parametrize("name", ODD)
def test_init_segments_are_made_without_the_source_whatever_it_is(name: str, tmp_path: Path) -> None:
    source = tmp_path / name
    graph = f"testsrc2=size=320x180:rate=25:duration={SECONDS}"
    clips.run_ffmpeg(["-f", "lavfi", "-i", graph, *ODD[name].split(), str(source)])
    media = probed(source, PROCESSES)
    task = planned(H264Video(), media)["video-low"]

    found = [
        digests(run(H264Video(), task, media, source, tmp_path / str(count), Part(("90p",), 0, count)), work)
        for count, work in ((count, tmp_path / str(count)) for count in (0, 1))
    ]

    assert found[0] == found[1]


def test_what_is_made_on_demand_is_a_task_of_its_own() -> None:
    assert {name: (task.makes, task.when, task.segments) for name, task in demanded(MEDIA).items()} == {
        "video-first": (("360p",), "eager", 0),
        "video-inits": (("480p",), "eager", 0),
        "video-low": (("360p",), "eager", 3),
        "video-0": (("480p",), "eager", 3),
        "video-on-demand": (("1080p", "720p"), "on_demand", 3),
    }
    # nobody could make a piece of these when it is asked for
    everything = {name: task.makes for name, task in demanded(replace(MEDIA, container="mpegts")).items()}
    assert everything["video-0"] == ("1080p", "720p", "480p")
    assert "video-on-demand" not in everything


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("noise") / "noise.mp4"
    # low: what an encoder at 64 kbit/s follows
    graph = f"anoisesrc=sample_rate=48000:duration={SOUND_SECONDS}:seed=7,lowpass=f=900,lowpass=f=900,volume=4"
    clips.run_ffmpeg(["-f", "lavfi", "-i", graph, "-c:a", "aac", "-b:a", "256k", str(path)])
    return path


def sound_task(media: MediaInfo) -> PlannedTask:
    spec = StepSpec("audio.aac")
    (task,) = [task for task in AacAudio().plan(media, spec, profile_of(spec)) if task.segments]
    return task


def pcm(files: list[Path], target: Path) -> array[int]:
    """The samples of an init segment and its segments, joined and decoded."""
    argv = ["ffmpeg", "-v", "error", "-i", str(measure.joined(target, files)), "-f", "s16le", "-ac", "1", "-"]
    return array("h", subprocess.run(argv, capture_output=True, check=True).stdout)


def unlike(one: array[int], other: array[int], at: int, lag: int) -> float:
    """The power of the difference in 50 ms on each side of a sample, against that of the sound; 0: the same."""
    pairs = [(one[n], other[n + lag]) for n in range(at - 2400, at + 2400)]
    return sum((a - b) ** 2 for a, b in pairs) / sum(a * a for a, _ in pairs)


@pytest.mark.parametrize(
    ("name", "options", "late"),
    [
        ("noise.mp4", ("-c", "copy"), 0),
        # Matroska counts milliseconds
        ("noise.mkv", ("-c", "copy"), 48),
        pytest.param("noise.m4a", ("-c:a", "aac", "-b:a", "256k", "-ar", "44100"), 0, marks=pytest.mark.slow),
        # made with another rate than they have
        pytest.param("high.m4a", ("-c:a", "aac", "-b:a", "256k", "-ar", "96000"), 1, marks=pytest.mark.slow),
        ("low.m4a", ("-c:a", "aac", "-b:a", "256k", "-ar", "32000"), 1),
    ],
)
def test_sound_made_in_parts_has_no_seam(
    name: str, options: tuple[str, ...], late: int, noise: Path, tmp_path: Path
) -> None:
    source = tmp_path / name
    clips.run_ffmpeg(["-i", str(noise), *options, str(source)])
    media, step = probed(source, PROCESSES), AacAudio()
    task = sound_task(media)
    whole = [a for a in run(step, task, media, source, tmp_path / "whole", None) if a.track == "audio-64k"]
    init, *segments = (tmp_path / "whole" / artifact.path for artifact in whole)

    # in no order, of one track and of both
    files: dict[int, Path] = {}
    for first, count in [(5, 3), (1, 1), (8, 2), (0, 1), (2, 3)]:
        tracks, work = task.makes if count == 1 else ("audio-64k",), tmp_path / str(first)
        made = run(step, task, media, source, work, Part(tracks, first, count))
        assert {artifact.track for artifact in made} == set(tracks)
        begins, *mine = [artifact for artifact in made if artifact.track == "audio-64k"]
        assert [(a.number, a.duration_seconds) for a in mine] == [
            (a.number, a.duration_seconds) for a in whole[1 + first : 1 + first + count]
        ]
        assert (work / begins.path).read_bytes() == init.read_bytes()
        assert [sequence(work / a.path) for a in mine] == [first + place + 1 for place in range(count)]
        files.update({first + place: work / artifact.path for place, artifact in enumerate(mine)})

    one = pcm([init, *segments], tmp_path / "one.mp4")
    other = pcm([init, *(files[number] for number in sorted(files))], tmp_path / "other.mp4")
    assert len(one) == len(other)
    for first in (1, 2, 5, 8):
        at = sum(segment.duration for segment in read_track(tmp_path / "whole" / "audio-64k").segments[:first]) - 1024
        likeness = {lag: unlike(one, other, at, lag) for lag in (-64, -24, -4, -1, 0, 1, 4, 24, 64)}
        best = min((far, lag) for lag, far in likeness.items())[1]
        assert abs(best) <= late, likeness
        clicks = [max(abs(b - a) for a, b in pairwise(sound[at - 1100 : at + 1100])) for sound in (one, other)]
        assert clicks[1] < 1.5 * clicks[0], "a click at the seam"


def test_the_end_of_the_sound_that_is_missing_is_made_up_for_in_parts(noise: Path, tmp_path: Path) -> None:
    media, step = probed(noise, PROCESSES), AacAudio()
    task, short = sound_task(media), tmp_path / "short.mp4"
    clips.run_ffmpeg(["-i", str(noise), "-t", str(SOUND_SECONDS - 0.7), "-c", "copy", str(short)])
    last = task.segments - 1

    for first in (last - 1, last):
        made = run(step, task, media, short, tmp_path / str(first), Part(("audio-64k",), first, last + 1 - first))
        assert [artifact.number for artifact in made] == [None, *range(first, last + 1)]

    clips.run_ffmpeg(["-i", str(noise), "-t", "11", "-c", "copy", str(short)])
    with pytest.raises(MediaRejected, match="can be decoded"):
        run(step, task, media, short, tmp_path / "beyond", Part(("audio-64k",), 8, 1))


def demanded(media: MediaInfo) -> dict[str, PlannedTask]:
    return video_tasks(media, on_demand=("1080p", "720p"))


def without_pictures(source: Path, target: Path, begin: float, end: float) -> Path:
    """The same clip with noise for its media data, from one share of it to another."""
    data = bytearray(source.read_bytes())
    start, stop = data.index(b"mdat") + 4, data.index(b"moov") - 4
    for at in range(start + int((stop - start) * begin), start + int((stop - start) * end)):
        data[at] = (at * 197 + (at >> 5) * 89 + 13) & 0xFF
    target.write_bytes(data)
    return target


@pytest.mark.parametrize(("first", "count"), [(1, 1), (2, 1), (4, 1)])
def test_a_part_of_a_damaged_film_is_whole_when_the_film_is(
    first: int, count: int, source: Path, media: MediaInfo, tmp_path: Path
) -> None:
    damaged = without_pictures(source, tmp_path / "damaged.mp4", 0.3, 0.6)
    task = planned(H264Video(), media)["video-low"]

    made = run(H264Video(), task, media, damaged, tmp_path / "part", Part(("90p",), first, count))

    assert [artifact.number for artifact in made] == [None, first]


def test_a_part_beyond_what_there_is_is_refused_where_the_film_is(
    source: Path, media: MediaInfo, tmp_path: Path
) -> None:
    short = clips.make_clip(tmp_path / "short.mp4", seconds=4.1)
    task = planned(H264Video(), media)["video-low"]

    for number, part in enumerate([None, Part(("90p",), 2, 1), Part(("90p",), 4, 1)]):
        with pytest.raises(MediaRejected, match="can be decoded") as caught:
            run(H264Video(), task, media, short, tmp_path / str(number), part)
        assert caught.value.code == "media.undecodable"


def test_the_end_that_is_missing_is_made_up_for_in_parts(media: MediaInfo, tmp_path: Path) -> None:
    short = clips.make_clip(tmp_path / "short.mp4", seconds=8.5)
    task = planned(H264Video(), media)["video-low"]

    made = run(H264Video(), task, media, short, tmp_path / "part", Part(("90p",), 3, 2))

    assert [artifact.duration_seconds for artifact in made[1:]] == [2.0, pytest.approx(1.4)]
