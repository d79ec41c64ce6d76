"""Sound that changes its rate or its channels midway keeps its times, and all of it is heard."""

from __future__ import annotations

from pathlib import Path

import pytest

from mediaflow.plugin import MediaInfo, Part, StepSpec
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing import measure
from mediaflow.testing.clips import run_ffmpeg
from mediaflow.testing.steps import SMALL_LADDER, probed, profile_of, run_task
from mediaflow_ffmpeg.audio import AacAudio
from tests.plugins.ffmpeg_media import uncertain

PROCESSES = SandboxedRunner("bwrap")


def joined(path: Path, options: tuple[str, ...] = ("-c:a", "ac3")) -> Path:
    """A beep at 0.6, 2.6, 4.6 and 6.6 s: four seconds of 48 kHz stereo, and four of 44.1 kHz in 5.1."""
    beep = "if(between(mod(t,2),0.6,0.7),0.8*sin(2*PI*1000*t),0)"
    first = f"aevalsrc='{beep}|{beep}':s=48000:d=4"
    second = f"aevalsrc='0|0|{beep}|0|0|0':c=5.1:s=44100:d=4"
    parts = [path.with_suffix(f".{number}.ac3") for number in (1, 2)]
    for graph, part in zip((first, second), parts, strict=True):
        run_ffmpeg(["-f", "lavfi", "-i", graph, *options, str(part)])
    both = path.with_suffix(".ac3")
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    run_ffmpeg(["-i", str(both), "-c", "copy", str(path)])
    return path


def beeps(media: MediaInfo, source: Path, directory: Path, part: Part | None = None) -> list[float]:
    """When they are heard in the smaller rendition, on the presentation's clock."""
    step, spec = AacAudio(), StepSpec("audio.aac")
    task = {each.name: each for each in step.plan(media, spec, profile_of(spec, ladder=SMALL_LADDER))}["audio"]
    made = run_task(step, task, media, source, directory, PROCESSES, part=part)
    files = [directory / each.path for each in made if each.path.startswith("audio-64k/")]
    return [at - 1 for at in measure.beep_times(measure.joined(directory / "joined.mp4", files))]


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
def test_all_is_heard_at_its_time(suffix: str, tmp_path: Path) -> None:
    source = joined(tmp_path / f"c.{suffix}")

    heard = beeps(probed(source, PROCESSES), source, tmp_path / "out")

    assert heard == pytest.approx([0.6, 2.6, 4.6, 6.6], abs=0.040)


def test_so_it_is_where_nothing_is_foretold(tmp_path: Path) -> None:
    source = joined(tmp_path / "c.mkv")

    heard = beeps(uncertain(probed(source, PROCESSES)), source, tmp_path / "out")

    assert heard == pytest.approx([0.6, 2.6, 4.6, 6.6], abs=0.040)


def test_so_it_is_in_parts(tmp_path: Path) -> None:
    source = joined(tmp_path / "c.mkv")
    media = probed(source, PROCESSES)

    heard = beeps(media, source, tmp_path / "out", Part(("audio-64k",), 1, 1))

    assert all(min(abs(at - beep) for beep in (2.6, 4.6, 6.6)) < 0.040 for at in heard)
    assert heard
