"""Run with `pytest` where mediaflow and this package are installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from mediaflow_extras.m3u import FileLists
from mediaflow_extras.sound import Sound

from mediaflow.plugin import ManifestFormat, Step
from mediaflow.testing.manifests import ManifestContract
from mediaflow.testing.steps import StepContract


class TestSound(StepContract):
    """Everything that mediaflow expects of a step."""

    good_params: ClassVar[Mapping[str, Any]] = {"bitrate_bps": 96000}
    bad_params: ClassVar[Mapping[str, Any]] = {"bitrate_bps": 1}

    @pytest.fixture
    def step(self) -> Step:
        return Sound()


class TestFileLists(ManifestContract):
    """Everything that mediaflow expects of a manifest format."""

    @pytest.fixture
    def manifest_format(self) -> ManifestFormat:
        return FileLists()
