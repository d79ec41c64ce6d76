"""HEVC and AV1 beside H.264 in one playlist, in a real browser: who plays them can, and who can't misses nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests
from playwright.sync_api import Browser, Page

from mediaflow.testing.clips import make_clip
from tests.integration.browsing import fresh_page, until
from tests.integration.service import Service, running_service
from tests.integration.watching import Viewer, enter

SECONDS = 10
ALL_CODECS = """
name: all-codecs
description: Three codecs.
segment_seconds: 4
frame_rate_max: 60
ladder:
  - {name: 360p, height: 360, video_bitrate_bps: 600000, audio_bitrate_bps: 96000}
  - {name: 180p, height: 180, video_bitrate_bps: 300000, audio_bitrate_bps: 64000}
steps:
  - step: video.h264
    params: {preset: ultrafast}
  - step: video.hevc
    params: {preset: superfast}
  - step: video.av1
    params: {preset: 12}
  - step: audio.aac
manifests: [hls]
"""
BESIDE = """
name: av1-beside
description: H.264, and its larger sizes in AV1 where somebody watches them.
segment_seconds: 4
frame_rate_max: 60
ladder:
  - {name: 720p, height: 720, video_bitrate_bps: 2500000, audio_bitrate_bps: 128000}
  - {name: 360p, height: 360, video_bitrate_bps: 600000, audio_bitrate_bps: 96000}
steps:
  - step: video.h264
    params: {preset: ultrafast}
  - step: video.av1
    params: {min_height: 720, when: on_demand, preset: 12}
  - step: audio.aac
manifests: [hls]
"""
CAN_PLAY = 'codecs => codecs.map((codec) => MediaSource.isTypeSupported(`video/mp4; codecs="${codec}"`))'


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One with two profiles of its operator's."""
    place = tmp_path_factory.mktemp("codecs")
    (place / "profiles").mkdir()
    for profile in (ALL_CODECS, BESIDE):
        (place / "profiles" / f"{profile.split()[1]}.yaml").write_text(profile)
    with running_service(place / "data", MEDIAFLOW_PROFILES_DIR=str(place / "profiles")) as service:
        yield service


@pytest.fixture
def page(browser: Browser, service: Service) -> Iterator[Page]:
    with fresh_page(browser) as page:
        enter(page, service)
        yield page


def playlist(service: Service, asset_id: str) -> dict[str, str]:
    """The codecs of the picture by the variants' names, in their order."""
    text = requests.get(urljoin(service.url, service.playback(asset_id)["manifests"]["hls"]), timeout=60).text
    return {name: codecs for codecs, name in re.findall(r'CODECS="([^",]+)[^\n]*\n(.*)\.m3u8', text)}


def codecs_of(playlists: dict[str, str]) -> dict[str, str]:
    return {name: codecs.split(".")[0] for name, codecs in playlists.items()}


@pytest.mark.slow
def test_larger_sizes_in_av1_are_made_where_somebody_chooses_them(service: Service, page: Page, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=SECONDS, width=1280, height=720, rate="12")
    asset_id = service.upload(clip, profile="av1-beside").json()["asset_id"]
    # what is not made yet is no reason to wait
    asset = service.settled(asset_id)
    made = {r["name"]: (r["segments_ready"], r["when"]) for r in asset["renditions"] if r["height"]}
    assert made == {
        "720p": (3, "eager"),
        "720p-av1": (0, "on_demand"),
        "360p": (3, "eager"),
    }
    variants = codecs_of(playlist(service, asset_id))
    assert variants == {"720p": "avc1", "720p-av1": "av01", "360p": "avc1"}
    assert next(iter(variants.values())) == "avc1"

    viewer, asked = Viewer(page, service), list[str]()
    page.on("request", lambda request: asked.append(request.url) if ".m4s" in request.url else None)
    viewer.watch(asset_id)
    assert not any("-av1" in url for url in asked), "whoever did not choose waits for nobody's encoder"

    viewer.choose("Quality", "720p-av1")
    viewer.note_interruptions()
    until(page, lambda: viewer.video("videoHeight") == 720 and any("720p-av1" in url for url in asked), 30)
    viewer.seek(5)
    until(page, lambda: bool(viewer.video("ended")), 40)
    assert "error" not in viewer.interruptions
    assert not viewer.trouble.is_visible()
    renditions = {r["name"]: r for r in service.asset(asset_id)["renditions"]}
    assert renditions["720p-av1"]["segments_ready"] > 0


def test_a_browser_is_offered_the_codecs_that_it_plays(service: Service, page: Page, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=SECONDS, width=640, height=360, rate="12")
    asset_id = service.upload(clip, profile="all-codecs").json()["asset_id"]
    assert service.settled(asset_id)["state"] == "ready"
    written = playlist(service, asset_id)
    families = {"": "avc1", "-hevc": "hvc1", "-av1": "av01"}
    names = {f"{size}{suffix}": family for size in ("360p", "180p") for suffix, family in families.items()}
    assert codecs_of(written) == names

    viewer = Viewer(page, service)
    viewer.watch(asset_id)
    plays = dict(zip(written, page.evaluate(CAN_PLAY, list(written.values())), strict=True))
    assert {plays["360p"], plays["360p-av1"]} == {True}
    assert {value for value, _ in viewer.options("Quality")} == {"auto", *(name for name in written if plays[name])}
