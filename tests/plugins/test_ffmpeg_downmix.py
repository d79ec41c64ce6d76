"""Surround becomes stereo: dialogue keeps its level, and what is loud everywhere does not clip. Judged by its bytes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from mediaflow.plugin import StepSpec
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing import measure
from mediaflow.testing.clips import run_ffmpeg
from mediaflow.testing.steps import SMALL_LADDER, probed, profile_of, run_task
from mediaflow_ffmpeg.audio import AacAudio

TONE = "{level}*sin(2*PI*440*t)"
LAYOUT = ("FL", "FR", "FC", "LFE", "BL", "BR")


def peak_db(source: Path, sounding: dict[str, float], options: tuple[str, ...]) -> float:
    """The highest sample of what `audio.aac` makes of 5.1 sound with these levels, in dB of full scale."""
    channels = "|".join(TONE.format(level=sounding[name]) if name in sounding else "0" for name in LAYOUT)
    run_ffmpeg(["-f", "lavfi", "-i", f"aevalsrc={channels}:c=5.1:s=48000:d=3", *options, str(source)])
    processes, step, spec = SandboxedRunner("bwrap"), AacAudio(), StepSpec("audio.aac")
    media = probed(source, processes)
    task = {each.name: each for each in step.plan(media, spec, profile_of(spec, ladder=SMALL_LADDER))}["audio"]
    made = run_task(step, task, media, source, source.parent / "out", processes)
    files = [source.parent / "out" / each.path for each in made if each.path.startswith("audio-96k/")]
    out = measure.joined(source.parent / "joined.mp4", files)
    # in floating point: what is above full scale clips only when it is played
    argv = [
        "ffmpeg",
        "-v",
        "info",
        "-i",
        str(out),
        "-af",
        "atrim=start=2,astats=measure_perchannel=none",
        "-f",
        "null",
        "-",
    ]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stderr
    found = re.search(r"Peak level dB: (-?[\d.]+)", said)
    assert found is not None, said[-500:]
    return float(found[1])


INTEGER, FLOAT = ("wav", ("-c:a", "pcm_s16le")), ("mkv", ("-c:a", "ac3", "-b:a", "640k"))


@pytest.mark.parametrize(("suffix", "options"), [INTEGER, FLOAT], ids=["integers", "floating point"])
@pytest.mark.parametrize(
    ("sounding", "expected"),
    [
        pytest.param({"FC": 0.5}, -9.0, id="dialogue: 3 dB less in each of two"),
        pytest.param({"FL": 0.5}, -6.0, id="the front as it is"),
        pytest.param(dict.fromkeys(LAYOUT, 0.9), -0.5, id="all at once: under full scale"),
    ],
)
def test_surround_keeps_its_levels_and_does_not_clip(
    sounding: dict[str, float], expected: float, suffix: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    assert peak_db(tmp_path / f"c.{suffix}", sounding, options) == pytest.approx(expected, abs=0.5)
