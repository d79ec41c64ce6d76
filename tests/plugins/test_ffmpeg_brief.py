"""Media of a few frames come out whole: every frame of them, and no more."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mediaflow.plugin import Step, StepSpec
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing.steps import probed, profile_of, run_task
from mediaflow_ffmpeg.audio import AacAudio
from mediaflow_ffmpeg.thumbnail import Thumbnail
from mediaflow_ffmpeg.video import H264Video

STEPS: tuple[tuple[Step, StepSpec], ...] = (
    (H264Video(), StepSpec("video.h264", {"preset": "ultrafast"})),
    (AacAudio(), StepSpec("audio.aac")),
    (Thumbnail(), StepSpec("image.thumbnail")),
)
ONE_AAC_FRAME = 1024 / 44100


def brief_clip(path: Path, frames: int, rate: str, codecs: str, sound_seconds: float) -> Path:
    """A clip of so many frames. `codecs` are ffmpeg's names of encoders, of the sound too when it has some."""
    video, _, audio = codecs.partition(" ")
    picture = ["-f", "lavfi", "-i", f"testsrc2=size=160x90:rate={rate}"]
    sound = ["-f", "lavfi", "-i", f"sine=sample_rate=44100:duration={sound_seconds}", "-c:a", audio] if audio else []
    # trimmed and not cut off: with -frames, ffmpeg ends the sound with the picture
    made = ["-vf", f"trim=end_frame={frames}", "-c:v", video, "-pix_fmt", "yuv420p", str(path)]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *picture, *sound, *made], check=True)
    return path


@pytest.mark.parametrize(
    ("name", "frames", "rate", "codecs", "sound_seconds"),
    [
        # ASF tells of no last frame how long it is
        ("one.wmv", 1, "25", "wmv2", 0.0),
        ("three.wmv", 3, "25", "wmv2", 0.0),
        ("two.wmv", 2, "10", "wmv2 wmav2", 0.1),
        # a stream of one packet has no start, so that ffmpeg does not take its time for 0
        ("one.ts", 1, "25", "mpeg2video", 0.0),
        ("one.mkv", 1, "60", "libx264 aac", 0.5),
        ("five.mp4", 5, "30000/1001", "libx264 aac", 0.01),
    ],
)
def test_every_frame_of_a_very_short_video_comes_out(
    tmp_path: Path, name: str, frames: int, rate: str, codecs: str, sound_seconds: float
) -> None:
    processes = SandboxedRunner("bwrap")
    source = brief_clip(tmp_path / name, frames, rate, codecs, sound_seconds)
    media = probed(source, processes)
    profile = profile_of(*(spec for _, spec in STEPS))
    made = {
        task.name: run_task(step, task, media, source, tmp_path / task.name, processes)
        for step, spec in STEPS
        for task in step.plan(media, spec, profile)
    }

    assert made.keys() == {"video-0", "thumbnail", *(["audio"] if " " in codecs else [])}
    seconds = {task: sum(a.duration_seconds or 0.0 for a in found) for task, found in made.items()}
    track = next(a.describes for a in made["video-0"] if a.describes is not None)
    assert track.frame_rate is not None
    assert round(seconds["video-0"] * track.frame_rate, 3) == frames
    if " " in codecs:
        assert seconds["audio"] == pytest.approx(max(sound_seconds, ONE_AAC_FRAME), abs=4 * ONE_AAC_FRAME)
