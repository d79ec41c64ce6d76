"""The real service, started as a user starts it, and clips made by ffmpeg."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.integration.browsing import running_browser
from tests.integration.service import Service, running_service


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """`mediaflow up --json` with embedded backends, one for the whole session."""
    with running_service(tmp_path_factory.mktemp("service") / "data") as started:
        yield started


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of 640x360 with sound."""
    from mediaflow.testing.clips import make_clip

    return make_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", seconds=6, width=640, height=360)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, one for the whole session; each page of `fresh_page` is a visitor of its own."""
    with running_browser() as browser:
        yield browser
