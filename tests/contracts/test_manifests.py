"""The built-in manifest formats hold what is asked of every format."""

from __future__ import annotations

import pytest

from mediaflow.plugin import ManifestFormat
from mediaflow.testing.manifests import ManifestContract
from mediaflow_hls.render import Hls


class TestHls(ManifestContract):
    @pytest.fixture
    def manifest_format(self) -> ManifestFormat:
        return Hls()
