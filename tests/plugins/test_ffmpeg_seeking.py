"""A part has the frames that the whole has there: hashes of what the encoder gets, for each kind of source."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mediaflow.plugin import MediaInfo, Part, Rung, StepSpec
from mediaflow.plugin.wire import load
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing import clips
from mediaflow.testing.steps import probed, profile_of
from mediaflow_ffmpeg.commands import video_command
from mediaflow_ffmpeg.jobs import VideoJob
from mediaflow_ffmpeg.seeking import can_be_sought
from mediaflow_ffmpeg.tasks import part_of
from mediaflow_ffmpeg.video import H264Video
from tests.plugins.ffmpeg_media import MEDIA, uncertain, video_tasks

X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p")
SOUND = ("-f", "lavfi", "-i", "sine=sample_rate=48000:duration=6")
VARIABLE = "select='lt(t,2)+not(mod(n,5))*lt(t,4)+gt(t,4)*not(mod(n,7))'"
FIELDS = "tinterlace=interleave_top,fieldorder=tff"
KINDS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "with B-frames": ("b.mp4", "25", (*X264, "-g", "50", "-bf", "3")),
    "open groups of pictures": ("o.mp4", "25", (*X264, "-g", "40", "-x264-params", "open-gop=1:bframes=3")),
    "variable rate": ("v.mp4", "50", ("-vf", VARIABLE, "-fps_mode", "vfr", *X264, "-g", "30")),
    "29.97": ("n.mp4", "30000/1001", (*X264, "-g", "45")),
    "23.976 in Matroska": ("f.mkv", "24000/1001", X264),
    "interlaced": ("i.mp4", "50", ("-vf", FIELDS, "-flags", "+ilme+ildct", *X264, "-x264-params", "tff=1:keyint=50")),
}
MORE_KINDS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "twice the highest rate": ("t.mp4", "120", (*X264, "-g", "50")),
    "in fragments": ("r.mp4", "25", (*X264, "-movflags", "frag_keyframe+empty_moov")),
    "VP9 in WebM": ("n.webm", "30000/1001", ("-c:v", "libvpx-vp9", "-cpu-used", "8", "-g", "45")),
    "HEVC": ("h.mp4", "25", ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "keyint=40:open-gop=1")),
    "AV1": ("a.mp4", "25", ("-c:v", "libsvtav1", "-preset", "12", "-g", "40")),
    "VP8": ("8.webm", "25", ("-c:v", "libvpx", "-cpu-used", "8", "-g", "60", "-auto-alt-ref", "1")),
    "ProRes": ("p.mov", "25", ("-c:v", "prores_ks", "-profile:v", "0")),
    "MPEG-4": ("4.mov", "25", ("-c:v", "mpeg4", "-bf", "2", "-g", "60")),
    "MPEG-2": ("2.mov", "25", ("-c:v", "mpeg2video", "-bf", "2", "-g", "30")),
}


def made(path: Path, rate: str, options: tuple[str, ...]) -> Path:
    noise = f"testsrc2=size=160x128:rate={rate}:duration=6,noise=alls=20:allf=t"
    clips.run_ffmpeg(["-f", "lavfi", "-i", noise, *SOUND, *options, str(path)])
    return path


def frames(job: VideoJob, media: MediaInfo, source: Path) -> list[tuple[int, str]]:
    """Number and hash of each frame that the smallest rendition's encoder gets."""
    argv = video_command(job, media, source, Path("out"))
    graph = argv.index("-filter_complex") + 2
    before = [argument for argument in argv[: graph + 2] if argument not in ("-progress", "pipe:1")]
    hashed = [*before, "-fps_mode", "passthrough", "-f", "framemd5", "-"]
    done = subprocess.run(hashed, capture_output=True, text=True, check=True)
    fields = [line.split(",") for line in done.stdout.splitlines() if not line.startswith("#")]
    return [(int(field[2]), field[5].strip()) for field in fields]


def check(source: Path, media: MediaInfo) -> int:
    """Compare some parts with the whole; how many of them were decoded from the middle."""
    spec = StepSpec("video.h264")
    profile = profile_of(spec, ladder=(Rung("90p", 90, 150_000, 64_000),), segment_seconds=1.0)
    (task,) = [task for task in H264Video().plan(media, spec, profile) if task.segments]
    job, sought = load(VideoJob, task.params), 0
    whole = dict(frames(job, media, source))
    assert len(whole) >= job.expected_frames - 1
    last = task.segments - 1
    for first in sorted({2, last // 2, last - 1, last} & set(range(last + 1))):
        part = part_of(job, Part(task.makes, first, min(2, task.segments - first)))
        sought += "-ss" in video_command(part, media, source, Path("out"))
        numbers = range(part.first_frame, part.first_frame + part.expected_frames)
        expected = [(number, whole[number]) for number in numbers if number in whole]
        assert frames(part, media, source) == expected, f"segment {first} on"
    return sought


@pytest.mark.parametrize("kind", [*KINDS, *(pytest.param(kind, marks=pytest.mark.slow) for kind in MORE_KINDS)])
def test_a_part_has_the_frames_that_the_whole_has_there(kind: str, tmp_path: Path) -> None:
    name, rate, options = {**KINDS, **MORE_KINDS}[kind]
    source = made(tmp_path / name, rate, options)

    assert check(source, probed(source, SandboxedRunner("bwrap"))) >= 3


@pytest.mark.parametrize(
    "options",
    [
        ("-ss", "1.3", "-i", "{}", "-map", "0", "-c", "copy"),
        # the picture begins after the sound
        ("-i", "{}", "-itsoffset", "0.7", "-i", "{}", "-map", "0:a", "-map", "1:v", "-c", "copy"),
        ("-i", "{}", "-itsoffset", "3.7", "-i", "{}", "-map", "0:a", "-map", "1:v", "-c", "copy"),
    ],
    ids=["edited", "late", "much later"],
)
def test_so_it_does_where_streams_begin_elsewhere(options: tuple[str, ...], tmp_path: Path) -> None:
    source = made(tmp_path / "whole.mp4", "25", (*X264, "-g", "50", "-bf", "3"))
    moved = tmp_path / "moved.mp4"
    clips.run_ffmpeg([*(option.format(source) for option in options), str(moved)])

    assert check(moved, probed(moved, SandboxedRunner("bwrap"))) >= 2


def test_only_what_is_proven_to_be_exact_is_made_in_parts() -> None:
    in_parts = {
        name: can_be_sought(replace(MEDIA, container=name))
        for name in ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "mpegts", "avi", "flv", "mxf", "ogg", "asf")
    }

    assert [name for name, sought in in_parts.items() if sought] == ["mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"]
    assert not can_be_sought(uncertain(MEDIA))
    assert {task.segments for task in video_tasks(MEDIA).values()} == {0, 3}
    assert {task.segments for task in video_tasks(replace(MEDIA, container="avi")).values()} == {0}
