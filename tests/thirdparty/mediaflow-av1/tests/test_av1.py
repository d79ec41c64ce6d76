"""Run with `pytest` where mediaflow and this package are installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from mediaflow_av1.step import Av1Video

from mediaflow.plugin import Step
from mediaflow.testing.steps import StepContract


class TestAv1Video(StepContract):
    """Everything that mediaflow expects of a step."""

    good_params: ClassVar[Mapping[str, Any]] = {"preset": 12, "crf": 50}
    bad_params: ClassVar[Mapping[str, Any]] = {"preset": 99, "crf": "low"}

    @pytest.fixture
    def step(self) -> Step:
        return Av1Video()
