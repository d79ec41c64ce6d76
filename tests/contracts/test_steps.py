"""The built-in steps hold what is asked of every step."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mediaflow.plugin import PlannedTask, Step, TaskFiles
from mediaflow.testing import steps
from mediaflow.testing.steps import StepContract
from mediaflow_ffmpeg.audio import AacAudio
from mediaflow_ffmpeg.thumbnail import Thumbnail
from mediaflow_ffmpeg.video import H264Video


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


# --- what the contract itself finds


def test_a_contract_that_fails_shows_the_values() -> None:
    assert type(steps.__spec__ and steps.__spec__.loader).__name__ == "AssertionRewritingHook"


def test_no_work_and_parameters_that_are_no_json_are_told_in_a_sentence() -> None:
    with pytest.raises(AssertionError, match=r"gives no task for the source, .* `may_plan_nothing = True`"):
        StepContract().test_something_is_planned_for_the_source([])
    with pytest.raises(AssertionError, match=r"'video\.h264' planned 'a' with a parameter 'r' that is no JSON"):
        StepContract().test_planned_tasks_are_well_formed(H264Video(), [PlannedTask("a", {"r": Fraction(1)})])


def test_a_task_is_given_what_it_needs_and_no_more() -> None:
    step, inputs = H264Video(), dict.fromkeys(("audio", "audio-de"), TaskFiles(Path(), ()))
    planned = [PlannedTask("one"), PlannedTask("two", needs=("audio",)), PlannedTask("all", needs=("video.h264",))]
    planned.append(PlannedTask("sounds", needs=("one", "audio.aac")))

    found = [steps._needs(task, step, planned, inputs) for task in planned]

    assert found == [[], ["audio"], ["one", "two", "sounds"], ["one", "audio", "audio-de"]]
