"""A picture of sound: loud where it is loud."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mediaflow.plugin import Artifact, MediaRejected, StepSpec
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing.clips import audio_only, make_clip, run_ffmpeg, scrambled
from mediaflow.testing.steps import probed, profile_of, run_task
from mediaflow_ffmpeg.waveform import MOST_SAMPLES, Waveform, rate_for
from tests.plugins.ffmpeg_media import MEDIA

RUNNER = SandboxedRunner("bwrap")


def made(source: Path, directory: Path, described_by: Path | None = None, **params: Any) -> Artifact:
    spec = StepSpec("audio.waveform", params)
    media = probed(described_by or source, RUNNER)
    (task,) = Waveform().plan(media, spec, profile_of(spec))
    (artifact,) = run_task(Waveform(), task, media, source, directory, RUNNER)
    return artifact


def heights(picture: Path, width: int, height: int) -> list[int]:
    """How high the wave is in each column."""
    argv = ["ffmpeg", "-v", "error", "-i", str(picture), "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    pixels = subprocess.run(argv, capture_output=True, check=True).stdout
    return [sum(pixels[row * width + column] > 90 for row in range(height)) for column in range(width)]


@pytest.mark.parametrize("frequency", [440, 9000])
def test_loud_places_are_high_and_silence_is_not(frequency: int, tmp_path: Path) -> None:
    wave = f"if(between(t,2,4),0.8,if(between(t,6,8),0.2,0))*sin(2*PI*{frequency}*t)"
    run_ffmpeg(["-f", "lavfi", "-i", f"aevalsrc='{wave}':s=44100:d=10", "-c:a", "flac", str(tmp_path / "a.flac")])

    artifact = made(tmp_path / "a.flac", tmp_path / "out", width=320)

    assert (artifact.role, artifact.content_type, artifact.width, artifact.height) == (
        "thumbnail",
        "image/png",
        320,
        180,
    )
    found = heights(tmp_path / "out" / "waveform.png", 320, 180)
    quiet, loud, soft = (found[32 * second] for second in (1, 3, 7))
    assert quiet <= 2 < 15 < soft < loud <= 90
    assert found[32 * 5] <= 2
    assert found[32 * 9] <= 2


def test_of_a_video_it_is_one_more_picture_where_it_is_wished(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", seconds=1.0)

    assert made(source, tmp_path / "out", with_video=True).role == "image"
    spec = StepSpec("audio.waveform")
    assert Waveform().plan(MEDIA, spec, profile_of(spec)) == []
    assert (
        Waveform().plan(replace(MEDIA, audio=None), StepSpec(spec.step, {"with_video": True}), profile_of(spec)) == []
    )


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    run_ffmpeg(["-f", "lavfi", "-i", "color=red:size=64x64", "-frames:v", "1", str(tmp_path / "cover.png")])
    audio_only(tmp_path / "plain.m4a", seconds=1.0)
    covered = ["-map", "0", "-map", "1", "-c", "copy", "-disposition:v", "attached_pic"]
    run_ffmpeg(
        ["-i", str(tmp_path / "plain.m4a"), "-i", str(tmp_path / "cover.png"), *covered, str(tmp_path / "a.m4a")]
    )

    assert made(tmp_path / "a.m4a", tmp_path / "out").role == "thumbnail"


def test_damaged_sound_is_refused(tmp_path: Path) -> None:
    good = audio_only(tmp_path / "good.m4a")
    bad = scrambled(tmp_path / "bad.mp4")
    with pytest.raises(MediaRejected):
        made(bad, tmp_path / "out", described_by=good)


@pytest.mark.parametrize(("seconds", "rate"), [(0.0, 44_100), (60.0, 44_100), (36_000.0, 444), (10e6, 100)])
def test_long_sound_is_looked_at_more_coarsely(seconds: float, rate: int) -> None:
    assert rate_for(seconds) == rate
    assert rate == 100 or rate * seconds <= MOST_SAMPLES
