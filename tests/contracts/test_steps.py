"""The built-in steps hold what is asked of every step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mediaflow.plugin import Artifact, Part, PlannedTask, Step, StepSpec, TaskFiles
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing import clips, steps
from mediaflow.testing.artifacts import check_part
from mediaflow.testing.parts import needs_of
from mediaflow.testing.steps import StepContract, probed, profile_of, run_task
from mediaflow_ffmpeg.audio import AacAudio
from mediaflow_ffmpeg.storyboard import Storyboard
from mediaflow_ffmpeg.subtitles import TextSubtitles
from mediaflow_ffmpeg.thumbnail import Thumbnail
from mediaflow_ffmpeg.video import Av1Video, H264Video, HevcVideo
from mediaflow_ffmpeg.waveform import Waveform


class TestH264Video(StepContract):
    good_params: ClassVar[Mapping[str, Any]] = {
        "preset": "ultrafast",
        "crf": 30,
        "tune": "fastdecode",
        "keyframe_seconds": 1,
        "profile": "main",
    }
    bad_params: ClassVar[Mapping[str, Any]] = {
        "preset": "placebo",
        "crf": "20",
        "tune": None,
        "profile": "high10",
        "keyframe_seconds": 0,
    }

    @pytest.fixture
    def step(self) -> Step:
        return H264Video()


class TestHevcVideo(StepContract):
    good_params: ClassVar[Mapping[str, Any]] = {"preset": "superfast", "crf": 30, "keyframe_seconds": 1}
    bad_params: ClassVar[Mapping[str, Any]] = {
        "encoder": "libx264",
        "preset": 8,
        "min_height": "720p",
        "when": "never",
        "tune": "film",
    }

    @pytest.fixture
    def step(self) -> Step:
        return HevcVideo()


@pytest.mark.slow
class TestAv1Video(StepContract):
    good_params: ClassVar[Mapping[str, Any]] = {"encoder": "libsvtav1", "preset": 12, "crf": 40, "min_height": 90}
    bad_params: ClassVar[Mapping[str, Any]] = {
        "encoder": ["libsvtav1"],
        "preset": 14,
        "crf": 30.5,
        "min_height": -1,
        "profile": "main",
    }

    @pytest.fixture
    def step(self) -> Step:
        return Av1Video()


class TestAacAudio(StepContract):
    @pytest.fixture
    def step(self) -> Step:
        return AacAudio()


class TestThumbnail(StepContract):
    good_params: ClassVar[Mapping[str, Any]] = {"max_side": 160}
    bad_params: ClassVar[Mapping[str, Any]] = {"max_side": 640.5}

    @pytest.fixture
    def step(self) -> Step:
        return Thumbnail()


class TestStoryboard(StepContract):
    good_params: ClassVar[Mapping[str, Any]] = {"interval_seconds": 1, "max_side": 64}
    bad_params: ClassVar[Mapping[str, Any]] = {"interval_seconds": 0.5, "max_side": 1000}

    @pytest.fixture
    def step(self) -> Step:
        return Storyboard()


class TestWaveform(StepContract):
    good_params: ClassVar[Mapping[str, Any]] = {"width": 320, "with_video": True}
    bad_params: ClassVar[Mapping[str, Any]] = {"width": 100_000, "with_video": "yes"}

    @pytest.fixture
    def step(self) -> Step:
        return Waveform()


# --- what the contract itself finds


def test_a_contract_that_fails_shows_the_values() -> None:
    assert type(steps.__spec__ and steps.__spec__.loader).__name__ == "AssertionRewritingHook"


def test_no_work_and_parameters_that_are_no_json_are_told_in_a_sentence() -> None:
    with pytest.raises(AssertionError, match=r"gives no task for the source, .* `may_plan_nothing = True`"):
        StepContract().test_something_is_planned_for_the_source([])
    with pytest.raises(AssertionError, match=r"'video\.h264' planned 'a' with a parameter 'r' that is no JSON"):
        StepContract().test_planned_tasks_are_well_formed(H264Video(), [PlannedTask("a", {"r": Fraction(1)})])


def wrong(made: list[Artifact], **changes: Any) -> list[Artifact]:
    """The same with other segments."""
    return [replace(artifact, **changes) if artifact.role == "segment" else artifact for artifact in made]


def test_a_part_that_is_not_what_was_asked_for_is_found(tmp_path: Path) -> None:
    source, processes = clips.make_clip(tmp_path / "clip.mp4", seconds=3.0), SandboxedRunner("bwrap")
    media, spec = probed(source, processes), StepSpec("video.h264", {"preset": "ultrafast"})
    task = next(task for task in H264Video().plan(media, spec, profile_of(spec)) if task.segments)
    part, directory = Part(task.makes, 1, 1), tmp_path / "work"
    made = run_task(H264Video(), task, media, source, directory, processes, part=part)
    init, segment = made

    def check(asked: Part, artifacts: list[Artifact], inits: dict[str, bytes] | None = None) -> None:
        check_part(task, asked, TaskFiles(directory, tuple(artifacts)), inits or {})

    check(part, made)
    for asked, artifacts, inits, message in [
        (Part(("1080p",), 1, 1), made, {}, "was asked for"),
        (Part(task.makes, 0, 2), made, {}, "was asked for"),
        (part, wrong(made, number=0), {}, "was asked for"),
        (part, [init, segment, segment], {}, "was asked for"),
        (part, [replace(init, foretells=None), segment], {}, "its init segments foretell"),
        (part, made, {task.makes[0]: b"another"}, "differs by part"),
        (part, wrong(made, duration_seconds=2.0), {}, "not as foretold"),
        # told with the right number and length, and of another time
        (Part(task.makes, 0, 1), wrong(made, number=0, duration_seconds=2.0), {}, "off its place in the whole"),
    ]:
        with pytest.raises(AssertionError, match=message):
            check(asked, artifacts, inits)


def test_a_task_is_given_what_it_needs_and_no_more() -> None:
    step, inputs = H264Video(), dict.fromkeys(("audio", "audio-de"), TaskFiles(Path(), ()))
    planned = [PlannedTask("one"), PlannedTask("two", needs=("audio",)), PlannedTask("all", needs=("video.h264",))]
    planned.append(PlannedTask("sounds", needs=("one", "audio.aac")))

    found = [needs_of(task, step, planned, inputs) for task in planned]

    assert found == [[], ["audio"], ["one", "two", "sounds"], ["one", "audio", "audio-de"]]


class TestTextSubtitles(StepContract):
    @pytest.fixture
    def step(self) -> Step:
        return TextSubtitles()

    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        text = tmp_path / "a.srt"
        text.write_text("1\n00:00:00,100 --> 00:00:01,000\nHello\n")
        return clips.subtitled(tmp_path / "a.mkv", {"eng": text, "ger": text})
