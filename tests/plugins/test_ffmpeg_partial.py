"""What is fetched of a source is enough: nothing differs when the rest is zeros, and what needs the rest says so."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain.errors import NeedsWholeSource
from mediaflow.media.boxes import BadBoxes, children
from mediaflow.media.extents import Extents, joined, read_extents
from mediaflow.media.probe import probe
from mediaflow.media.sampletables import track_of
from mediaflow.plugin import MediaInfo, Part, PlannedTask, Rung, Step, StepSpec, StepTask, Workspace
from mediaflow.plugin.wire import load
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing.clips import run_ffmpeg
from mediaflow.testing.steps import profile_of
from mediaflow_ffmpeg.audio import AacAudio
from mediaflow_ffmpeg.commands import video_command
from mediaflow_ffmpeg.jobs import VideoJob
from mediaflow_ffmpeg.tasks import part_of
from mediaflow_ffmpeg.thumbnail import Thumbnail
from mediaflow_ffmpeg.video import H264Video

RUNNER = SandboxedRunner("bwrap")
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
OPEN = (
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-pix_fmt",
    "yuv420p",
    "-x264-params",
    "open-gop=1:bframes=5:keyint=60",
)
HEVC = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "keyint=100:open-gop=1:log-level=error")
AAC = ("-c:a", "aac")
MAPS = ("-map", "0", "-map", "1", "-map", "2")
LANGUAGES = (*MAPS, "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fra")
VARYING = "select='lt(t,20)+not(mod(n,50))*lt(t,30)+gt(t,30)*not(mod(n,7))'"
FIELDS = "tinterlace=interleave_top,fieldorder=tff"
SECONDS = 48


def picture(rate: str = "25", seconds: int = SECONDS) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"testsrc2=size=96x64:rate={rate}:duration={seconds},noise=alls=40:allf=t")


def tone(seconds: int = SECONDS, hertz: int = 440) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"sine=frequency={hertz}:sample_rate=48000:duration={seconds}")


KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "open groups, index at the end": ("a.mp4", (*picture(), *tone(), *OPEN, *AAC)),
}
MORE_KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "index in front": ("f.mp4", (*picture(), *tone(), *X264, "-g", "50", "-bf", "3", *AAC, "-movflags", "+faststart")),
    "long groups": ("l.mp4", (*picture(), *tone(), *X264, "-g", "250", "-bf", "3", *AAC)),
    "one group": ("1.mp4", (*picture(), *tone(), *X264, "-g", "100000", "-sc_threshold", "0", *AAC)),
    "variable rate": ("v.mp4", (*picture("50"), *tone(), "-vf", VARYING, "-fps_mode", "vfr", *X264, "-g", "30", *AAC)),
    "29.97": ("n.mov", (*picture("30000/1001"), *tone(), *X264, "-g", "45", *AAC)),
    "one frame a second": ("s.mp4", (*picture("1", 150), *tone(150), *X264, "-g", "20", "-bf", "3", *AAC)),
    "two languages": ("2.mp4", (*picture(), *tone(), *tone(hertz=880), *LANGUAGES, *X264, *AAC)),
    "HEVC": ("h.mp4", (*picture(), *tone(), *HEVC, *AAC)),
    "ProRes, PCM": ("p.mov", (*picture(), *tone(), "-c:v", "prores_ks", "-profile:v", "0", "-c:a", "pcm_s16le")),
    "MPEG-4": ("4.mov", (*picture(), *tone(), "-c:v", "mpeg4", "-b:v", "1M", "-bf", "2", "-g", "60", *AAC)),
    "AC-3": ("3.mp4", (*picture(), *tone(), *X264, "-c:a", "ac3")),
    "no sound": ("q.mp4", (*picture(), *X264, "-g", "48")),
    "no picture": ("m.m4a", (*tone(600), *AAC)),
    "interlaced": (
        "i.mp4",
        (*picture("50"), *tone(), "-vf", FIELDS, "-flags", "+ilme+ildct", *X264, "-x264-params", "tff=1:keyint=50"),
    ),
}
COPIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "an edit list": ("cut.mp4", ("-ss", "3.3", "-i", "{}", "-map", "0")),
    "a late picture": ("lp.mp4", ("-i", "{}", "-itsoffset", "3.7", "-i", "{}", "-map", "0:a", "-map", "1:v")),
    "late sound": ("ls.mp4", ("-i", "{}", "-itsoffset", "7.3", "-i", "{}", "-map", "0:v", "-map", "1:a")),
    "chapters": ("c.mp4", ("-i", "{}", "-i", "{}.txt", "-map", "0", "-map_metadata", "1")),
    "a time code": ("t.mov", ("-i", "{}", "-map", "0", "-timecode", "01:00:00:00")),
}
CHAPTERS = ";FFMETADATA1\n" + "".join(
    f"[CHAPTER]\nTIMEBASE=1/1\nSTART={n * 5}\nEND={n * 5 + 5}\ntitle=chapter {n}\n" for n in range(9)
)


def extents_of(source: Path) -> Extents:
    with source.open("rb") as file:
        return read_extents(file, source.stat().st_size)


def holed(source: Path, places: Iterable[range], target: Path) -> Path:
    """The same with zeros outside these bytes."""
    with source.open("rb") as whole, target.open("wb") as part:
        part.truncate(source.stat().st_size)
        for place in places:
            whole.seek(place.start)
            part.seek(place.start)
            part.write(whole.read(min(len(place), source.stat().st_size)))
    return target


def unwoven(source: Path, target: Path) -> Path:
    """The same with all of each track behind all of the one before, which is how players like it least."""
    data = source.read_bytes()
    index, media = data.rindex(b"moov") - 4, data.index(b"mdat") + 4
    moov, woven, at = bytearray(data[index:]), bytearray(), 0
    for trak in children(memoryview(data)[index + 8 :], b"trak"):
        track = track_of(trak, 1000, len(data), 1 << 20, heard=False)
        at = moov.index(b"stco", at) + 4
        for n, offset in enumerate(track.offsets):
            struct.pack_into(">I", moov, at + 8 + 4 * n, media + len(woven))
            woven += data[offset : offset + track.ends[track.firsts[n + 1]] - track.ends[track.firsts[n]]]
    target.write_bytes(data[: media - 8] + struct.pack(">I4s", 8 + len(woven), b"mdat") + woven + moov)
    return target


def frames(job: VideoJob, media: MediaInfo, source: Path, *, careful: bool) -> list[list[str]]:
    """Number and hash of each frame that the smallest rendition's encoder gets."""
    if job.span.segment_count == 0:
        job = replace(job, span=replace(job.span, segment_count=1), expected_frames=4, exact=True, padded=True)
        job = replace(job, sought=False)
    argv = video_command(job, media, source, Path("out"), careful=careful)
    end = argv.index("-filter_complex") + 4
    assert ("-xerror" in argv) == careful
    before = [argument for argument in argv[:end] if argument not in ("-progress", "pipe:1")]
    hashed = [*before, *(["-xerror"] if careful else []), "-fps_mode", "passthrough", "-f", "framemd5", "-"]
    done = subprocess.run(hashed, capture_output=True, text=True, check=True)
    return [line.split(",")[2:] for line in done.stdout.splitlines() if not line.startswith("#")]


def result(step: Step, task: PlannedTask, part: Part | None, media: MediaInfo, source: Path, directory: Path) -> Any:
    """What comes of a task or a part of it; the source is partial when its name says so."""
    partial = source.name.startswith("holed")
    if isinstance(step, H264Video):
        job = load(VideoJob, task.params)
        return frames(job if part is None else part_of(job, part), media, source, careful=partial)
    directory.mkdir(parents=True)
    workspace = Workspace(directory, source, lambda _: None, RUNNER, {}, partial=partial)
    made = step.run(StepTask(task.name, task.params, media, part), workspace)
    return {artifact.path: (directory / artifact.path).read_bytes() for artifact in made}


def planned(media: MediaInfo) -> Iterable[tuple[Step, PlannedTask, Part | None]]:
    """All that reads no more than some seconds, with some parts of it."""
    for step in (H264Video(), AacAudio(), Thumbnail()):
        spec = StepSpec(step.name)
        ladder = (Rung("64p", 64, 150_000, 64_000),)
        for task in step.plan(media, spec, profile_of(spec, StepSpec("video.h264"), ladder=ladder, segment_seconds=2)):
            last = task.segments - 1
            numbers = sorted({last // 2, last}) if task.segments else []
            parts: list[Part | None] = [Part(task.makes, n, min(2, last + 1 - n)) for n in numbers]
            yield from ((step, task, part) for part in (parts or [None]) if task.reads is not None)


def check(source: Path, work: Path) -> float:
    """Compare what comes of the whole and of what is fetched of it; the least share that was enough."""
    extents, shares = extents_of(source), []
    # what is not here as a whole is not looked at for what can be copied
    media = probe(source, RUNNER, max_streams=32, max_pixels=75_000_000, whole=False)
    part = holed(source, extents.ends, work / "holed.mp4")
    needed: list[bool] = []

    def need_all() -> None:
        needed.append(True)
        holed(source, [range(1 << 40)], part)

    assert media == probe(
        part, RUNNER, max_streams=32, max_pixels=75_000_000, least_bytes=0, need_all=need_all, whole=False
    )
    for number, (step, task, some) in enumerate(planned(media)):
        assert task.reads is not None
        reads = task.reads if some is None else task.reads.of_part(some.first, some.count, task.segments)
        places = extents.span(reads.begin_seconds - reads.lead_seconds, reads.end_seconds)
        shares.append(sum(map(len, places)) / extents.size_bytes)
        made = [
            result(step, task, some, media, file, work / f"{number} {file.name}")
            for file in (source, holed(source, places, part))
        ]
        assert made[0] == made[1], f"{task.name} {some} of {shares[-1]:.2f} of the source"
        assert made[0]
    return min(shares)


@pytest.mark.parametrize("kind", [*KINDS, *(pytest.param(kind, marks=pytest.mark.slow) for kind in MORE_KINDS)])
def test_what_is_fetched_is_enough(kind: str, tmp_path: Path) -> None:
    name, options = {**KINDS, **MORE_KINDS}[kind]
    run_ffmpeg([*options, str(tmp_path / name)])

    assert check(tmp_path / name, tmp_path) < (1.01 if kind == "one group" else 0.6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*COPIES, "all the sound behind all the picture"])
def test_so_it_is_where_streams_lie_and_begin_elsewhere(kind: str, tmp_path: Path) -> None:
    name, options = next(iter(KINDS.values()))
    source = tmp_path / name
    run_ffmpeg([*options, str(source)])
    if kind in COPIES:
        (tmp_path / f"{name}.txt").write_text(CHAPTERS)
        name, how = COPIES[kind]
        run_ffmpeg([*(option.format(source) for option in how), "-c", "copy", str(tmp_path / name)])
        assert check(tmp_path / name, tmp_path) < 0.6
    else:
        assert check(unwoven(source, tmp_path / "unwoven.mp4"), tmp_path) < 0.6


def test_a_step_that_meets_a_hole_says_that_it_needs_the_rest(tmp_path: Path) -> None:
    name, options = next(iter(KINDS.values()))
    source = tmp_path / name
    run_ffmpeg([*options, str(source)])
    media = probe(source, RUNNER, max_streams=32, max_pixels=75_000_000, whole=False)
    extents = extents_of(source)
    part = holed(source, extents.always, tmp_path / "holed.mp4")
    steps: tuple[Step, ...] = (H264Video(), AacAudio(), Thumbnail())
    for number, step in enumerate(steps):
        spec = StepSpec(step.name)
        profile = profile_of(spec, StepSpec("video.h264"), ladder=(Rung("64p", 64, 150_000, 64_000),))
        task = next(task for task in step.plan(media, spec, profile) if task.segments or step.name == "image.thumbnail")
        task = replace(task, params={**task.params, **({"at_seconds": 40.0} if not task.segments else {})})
        some = Part(task.makes, task.segments - 2, 2) if task.segments else None
        directory = tmp_path / str(number)
        directory.mkdir()
        told: list[Any] = []
        workspace = Workspace(directory, part, lambda _: None, RUNNER, {}, made=told.append, partial=True)
        with pytest.raises(NeedsWholeSource):
            step.run(StepTask(task.name, task.params, media, some), workspace)
        assert [each for each in told if each.role == "segment"] == [], "what a hole gave is shown to nobody"


def test_an_index_that_is_not_plain_tells_nothing(tmp_path: Path) -> None:
    source = tmp_path / "a.mp4"
    run_ffmpeg([*picture(seconds=2), *X264, "-g", "10", "-movflags", "frag_keyframe+empty_moov", str(source)])
    with pytest.raises(BadBoxes):
        extents_of(source)
    run_ffmpeg([*picture(seconds=2), *X264, "-g", "10", str(source)])
    data = bytearray(source.read_bytes())
    at = data.rindex(b"stss") + 12
    data[at : at + 4] = (2).to_bytes(4)  # as if the first frame were no key frame
    source.write_bytes(data)
    with pytest.raises(BadBoxes):
        extents_of(source)


def test_places_that_touch_are_one() -> None:
    assert joined([range(5, 9), range(3), range(9, 12), range(2, 4), range(7, 7)]) == [range(4), range(5, 12)]
