"""What a seek bar shows, fetched as players fetch it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urljoin

import requests

from mediaflow.testing.clips import audio_only
from tests.integration.service import Service
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
    assert (kinds["storyboard.vtt"], kinds["storyboard-0.jpg"]) == ("storyboard", "image")


def test_sound_alone_has_its_waveform_as_its_picture(service: Service, tmp_path: Path) -> None:
    clip = audio_only(tmp_path / "sound.m4a", seconds=3.0)
    for profile in ("audio-only", "web-h264"):
        asset = service.settled(service.upload(clip, profile=profile, dedup="off").json()["asset_id"])

        playback = service.playback(asset["id"])
        picture = requests.get(playback["thumbnail_url"], timeout=30)
        assert (picture.headers["Content-Type"], picture.content[:4]) == ("image/png", b"\x89PNG")
        assert asset["thumbnail_url"] is not None
        assert playback["storyboard_url"] is None
