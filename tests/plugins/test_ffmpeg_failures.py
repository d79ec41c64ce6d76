"""Whose fault it is: damaged sources are refused with a code, everything else may be tried again."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from mediaflow.plugin import (
    Artifact,
    Completed,
    InsufficientStorage,
    MediaRejected,
    Step,
    StepSpec,
    TaskFailed,
    Workspace,
)
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing import clips
from mediaflow.testing.steps import probed, profile_of, run_task
from mediaflow_ffmpeg.audio import AacAudio
from mediaflow_ffmpeg.encoding import Progress, failure, last_line
from mediaflow_ffmpeg.thumbnail import Thumbnail
from mediaflow_ffmpeg.video import H264Video
from tests.plugins.ffmpeg_media import MEDIA

PROCESSES = SandboxedRunner("bwrap")
SPEC = StepSpec("video.h264", {"preset": "ultrafast"})


def run(step: Step, source: Path, directory: Path, described_by: Path | None = None) -> list[Artifact]:
    """Plan and run the step's tasks, but for those that only open the presentation. With `described_by`, the facts are
    those of another file, as when a source breaks between probing and encoding."""
    media = probed(described_by or source, PROCESSES)
    spec = SPEC if step.name == SPEC.step else StepSpec(step.name)
    planned = [task for task in step.plan(media, spec, profile_of(SPEC, spec)) if task.rank > 0]
    done = (run_task(step, task, media, source, directory / task.name, PROCESSES) for task in planned)
    return [artifact for made in done for artifact in made]


def noise(path: Path, begin: float, end: float) -> Path:
    """A clip of 6 s with noise in part of its media data (fractions of it)."""
    clips.make_clip(path, seconds=6.0)
    data = bytearray(path.read_bytes())
    first, last = data.index(b"mdat") + 4, data.index(b"moov") - 4
    start, stop = (first + int((last - first) * part) for part in (begin, end))
    data[start:stop] = random.Random(1).randbytes(stop - start)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("step", [H264Video(), Thumbnail(), AacAudio()], ids=lambda step: step.name)
def test_media_of_which_nothing_decodes_is_rejected(step: Any, tmp_path: Path) -> None:
    good = clips.make_clip(tmp_path / "good.mp4", seconds=2.0)
    bad = clips.scrambled(tmp_path / "bad.mp4", seconds=2.0)

    with pytest.raises(MediaRejected) as caught:
        run(step, bad, tmp_path / "out", described_by=good)

    assert caught.value.code == "media.undecodable"
    assert str(tmp_path) not in caught.value.detail


def test_half_a_video_is_not_published_as_a_whole_one(tmp_path: Path) -> None:
    with pytest.raises(MediaRejected, match="The file is damaged: "):
        run(H264Video(), noise(tmp_path / "half.mp4", 0.4, 1.0), tmp_path / "out")


def test_a_damaged_spot_costs_no_more_than_itself(tmp_path: Path) -> None:
    artifacts = run(H264Video(), noise(tmp_path / "spot.mp4", 0.40, 0.42), tmp_path / "out")

    seconds = sum(a.duration_seconds or 0 for a in artifacts if a.track == "180p")
    assert seconds == pytest.approx(6.0, abs=0.05)


def test_a_source_that_ends_early_gives_what_there_is(tmp_path: Path) -> None:
    source = clips.truncated(tmp_path / "cut.mkv", seconds=4.0, keep=0.6)

    artifacts = run(H264Video(), source, tmp_path / "out")

    seconds = sum(a.duration_seconds or 0 for a in artifacts if a.track == "180p")
    assert 1.5 < seconds < 3.0


def test_a_picture_that_changes_its_size_midway_stays_on_the_grid(tmp_path: Path) -> None:
    parts = [
        clips.make_clip(tmp_path / "a.ts", seconds=2.0),
        clips.make_clip(tmp_path / "b.ts", seconds=2.0, width=640, height=480),
    ]
    source = tmp_path / "both.ts"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))

    artifacts = run(H264Video(), source, tmp_path / "out")

    assert all(a.duration_seconds == pytest.approx(2.0) for a in artifacts if a.track == "180p" and a.number == 0)


def test_sound_whose_clock_runs_too_fast_is_told_by_its_samples(tmp_path: Path) -> None:
    plain = clips.audio_only(tmp_path / "plain.m4a", seconds=4.0)
    source = tmp_path / "fast.m4a"
    clips.run_ffmpeg(["-i", str(plain), "-c", "copy", "-bsf:a", "setts=ts=TS/50", str(source)])

    artifacts = run(AacAudio(), source, tmp_path / "out", described_by=plain)

    seconds = sum(a.duration_seconds or 0 for a in artifacts if a.track == "audio-64k")
    assert seconds == pytest.approx(4.0, abs=0.1)


def test_a_thumbnail_past_the_end_is_the_first_frame(tmp_path: Path) -> None:
    long = clips.make_clip(tmp_path / "long.mp4", seconds=5.0)
    short = clips.make_clip(tmp_path / "short.mp4", seconds=0.4)

    (picture,) = run(Thumbnail(), short, tmp_path / "out", described_by=long)

    assert (picture.role, picture.width, picture.height) == ("thumbnail", 320, 180)


@pytest.mark.parametrize(
    ("returncode", "stderr", "error", "code"),
    [
        (69, "Conversion failed!", MediaRejected, "media.undecodable"),
        (1, "av_interleaved_write_frame(): No space left on device", InsufficientStorage, "storage.full"),
        (1, "Unknown encoder 'libx264'", TaskFailed, "job.ffmpeg_failed"),
        (0, "", TaskFailed, "job.ffmpeg_failed"),
    ],
)
def test_the_reason_of_a_failure_decides_who_is_to_blame(
    returncode: int, stderr: str, error: type[Exception], code: str, tmp_path: Path
) -> None:
    source = clips.make_clip(tmp_path / "good.mp4", seconds=0.4)
    workspace = Workspace(tmp_path, source, lambda _: None, PROCESSES, {})

    found = failure(Completed(returncode, b"", stderr, 1.0), MEDIA, 0, workspace)

    assert type(found) is error
    assert getattr(found, "code", None) == code


def test_progress_is_read_from_ffmpeg_s_report() -> None:
    seen: list[float] = []
    progress = Progress(4.0, seen.append)

    for line in ("frame=1", "out_time_us=N/A", "out_time_us=-40000", "out_time_us=1000000", "out_time_us=9000000"):
        progress.line(f"{line}\n")
    assert not progress.ended
    progress.line("progress=end")

    assert seen == [0.0, 0.25, 1.0]
    assert progress.ended


def test_the_same_mistake_is_the_same_sentence_in_every_process() -> None:
    runs = ("[h264 @ 0x55d0c3a1] no frame!\n", "[h264 @ 0x7f11aa02] no frame!\n    Last message repeated 3 times\n")
    assert {last_line(said) for said in runs} == {"[h264] no frame!"}
