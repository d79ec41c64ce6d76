"""The step holds what every step must hold, and its checksum is right."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from mediaflow_example.checksum import ChecksumStep

from mediaflow.plugin import MediaInfo, PlannedTask, ProcessRunner, Step
from mediaflow.testing.steps import StepContract, run_task


class TestChecksumStep(StepContract):
    """The shipped contract, and what is special to this step."""

    good_params: ClassVar[Mapping[str, Any]] = {"algorithm": "sha256"}
    bad_params: ClassVar[Mapping[str, Any]] = {"algorithm": "md5"}

    @pytest.fixture
    def step(self) -> Step:
        return ChecksumStep()

    def test_the_checksum_is_that_of_the_source(
        self, planned: list[PlannedTask], media: MediaInfo, source: Path, tmp_path: Path, processes: ProcessRunner
    ) -> None:
        (artifact,) = run_task(ChecksumStep(), planned[0], media, source, tmp_path / "out", processes)

        made = json.loads((tmp_path / "out" / artifact.path).read_text())
        assert made["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
        assert made["size_bytes"] == source.stat().st_size
