"""The built-in steps hold what is asked of every step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from mediaflow.plugin import Step
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
