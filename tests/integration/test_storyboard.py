"""What a seek bar shows, fetched as players fetch it."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urljoin

import requests
from playwright.sync_api import Browser, expect

from mediaflow.testing.clips import audio_only
from tests.integration.browsing import fresh_page
from tests.integration.service import Service
from tests.integration.watching import Viewer, enter
from tests.plugins.tiles import telling_seconds, tiles_of


def test_the_storyboard_of_an_asset_shows_each_second_where_it_is(service: Service, tmp_path: Path) -> None:
    clip = telling_seconds(tmp_path / "clip.mp4", 9, size="640x360", options=["-g", "1000"])
    asset = service.settled(service.upload(clip, profile="web-h264").json()["asset_id"])
    assert asset["state"] == "ready", asset

    playback = service.playback(asset["id"])
    board = requests.get(playback["storyboard_url"], timeout=30)
    sheets: list[requests.Response] = []

    def fetched(uri: str) -> bytes:
        sheets.append(requests.get(urljoin(playback["storyboard_url"], uri), timeout=30))
        return sheets[-1].content

    tiles = tiles_of(board.text, fetched)
    assert board.headers["Content-Type"].startswith("text/vtt")
    assert [(sheet.status_code, sheet.headers["Content-Type"]) for sheet in sheets] == [(200, "image/jpeg")]
    assert [(tile.begin, round(tile.shows)) for tile in tiles] == [(0, 0), (2, 2), (4, 4), (6, 6), (8, 8)]
    # a sheet is no poster
    assert "storyboard" not in playback["thumbnail_url"]
    kinds = {output["name"]: output["kind"] for output in playback["outputs"]}
    assert (kinds["storyboard.vtt"], kinds["storyboard-0.jpg"], kinds["preview.mp4"]) == (
        "storyboard",
        "image",
        "preview",
    )
    preview = requests.get(playback["preview_url"], timeout=30)
    assert (preview.status_code, preview.headers["Content-Type"]) == (200, "video/mp4")
    assert asset["preview_url"].endswith("/preview.mp4")


def test_sound_alone_has_its_waveform_as_its_picture(service: Service, tmp_path: Path) -> None:
    clip = audio_only(tmp_path / "sound.m4a", seconds=3.0)
    for profile in ("audio-only", "web-h264"):
        asset = service.settled(service.upload(clip, profile=profile, dedup="off").json()["asset_id"])

        playback = service.playback(asset["id"])
        picture = requests.get(playback["thumbnail_url"], timeout=30)
        assert (picture.headers["Content-Type"], picture.content[:4]) == ("image/png", b"\x89PNG")
        assert asset["thumbnail_url"] is not None
        assert playback["storyboard_url"] is None


def test_the_page_shows_the_pictures_over_its_seek_bar(service: Service, browser: Browser, tmp_path: Path) -> None:
    clip = telling_seconds(tmp_path / "clip.mp4", 9, size="640x360", options=["-g", "1000"])
    asset_id = service.settled(service.upload(clip, profile="web-h264").json()["asset_id"])["id"]
    with fresh_page(browser) as page:
        enter(page, service)
        Viewer(page, service).watch(asset_id)
        bar, tile = page.get_by_label("Seek with pictures"), page.locator("#scrub-tile")
        expect(bar).to_be_visible()
        expect(tile).to_be_hidden()

        # when: somebody points at two thirds of it
        box = bar.bounding_box()
        assert box is not None
        with page.expect_response("**/storyboard-0.jpg") as sheet:
            page.mouse.move(box["x"] + box["width"] * 2 / 3, box["y"] + box["height"] / 2)

        # then: the fourth tile of 2 s is there
        assert sheet.value.ok
        expect(tile).to_be_visible()
        expect(tile).to_have_css("background-position", "-480px 0px")
        expect(page.locator("#scrub-time")).to_have_text("0:06")

        # and: keys of the bar seek, and say where
        page.mouse.move(0, 0)
        expect(tile).to_be_hidden()
        page.evaluate("document.querySelector('video').pause()")
        bar.press("End")
        expect(bar).to_have_attribute("aria-valuetext", re.compile("^0:0[89] of 0:09$"))
        bar.press("Home")
        expect(bar).to_have_attribute("aria-valuetext", "0:00 of 0:09")
