"""Who opens a video while it is made sees it play to its end, in a real browser, by playlists that came before it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Request, expect

from mediaflow.testing.clips import make_clip
from tests.integration.browsing import fresh_page, until
from tests.integration.service import Service
from tests.integration.watching import VIDEO, Viewer, enter

SECONDS = 16
RATE = 12
PLAYED = """async ([url, at]) => {
  const video = document.createElement('video');
  Object.assign(video, { muted: true, src: url, currentTime: at });
  document.body.append(video);
  await video.play();
  await new Promise((resolve) => video.addEventListener('ended', resolve));
  return [video.videoWidth, video.videoHeight];
}"""


def test_a_video_plays_from_its_first_moment_to_its_end_while_it_is_made(
    service: Service, browser: Browser, tmp_path: Path
) -> None:
    # given: a page that is ready, and an upload that has just become playable
    clip = make_clip(tmp_path / "clip.mp4", seconds=SECONDS, width=1280, height=720, rate=str(RATE))
    with fresh_page(browser) as page:
        enter(page, service)
        viewer, asked = Viewer(page, service), list[str]()
        page.goto(f"{service.url}/")
        page.on("request", lambda request: _note(request, asked))
        asset_id = service.upload(clip, metadata={"title": "Early"}).json()["asset_id"]
        asset = service.playable(asset_id, 60)
        assert asset["state"] == "processing"
        assert [r["name"] for r in asset["renditions"]] == ["720p", "480p", "360p"]
        assert {(r["when"], r["segments"]) for r in asset["renditions"]} == {("eager", -(-SECONDS // 4))}
        assert asset["renditions"][-1]["segments_ready"] >= 1

        # when
        viewer.watch(asset_id)
        page.locator("#watch-sizes summary").click()
        sizes = page.locator("#watch-sizes-list > li")
        expect(sizes).to_have_count(3)
        expect(page.locator("#watch-sizes summary")).to_have_text(re.compile("^3 sizes, "))
        page.evaluate(f"{VIDEO}.playbackRate = 4")
        until(page, lambda: bool(viewer.video("ended")), 60)

        # then
        assert viewer.place >= SECONDS - 0.5
        assert not viewer.trouble.is_visible()
        assert any("/g1/open." in url for url in asked), "it began with what was opened"
        assert any("/g1/tracks/" in url for url in asked)
        assert service.settled(asset_id)["state"] == "ready"

        # and: the page goes over to what there is now, in all its sizes
        until(page, lambda: any("/g1/package." in url for url in asked), 20)
        until(page, lambda: len(viewer.options("Quality")) > 2, 20)
        expect(sizes).to_have_text(
            [f"{name}Made in any case · all of it is thereDownload" for name in ("720p", "480p", "360p")]
        )
        assert [bar.evaluate("bar => bar.value") for bar in sizes.locator("progress").all()] == [1, 1, 1]

        # and: each can be kept as a file, which a browser plays from any place of it
        with page.expect_download() as saved:
            sizes.nth(2).get_by_role("link").click()
        assert saved.value.suggested_filename == "360p.mp4"
        assert frame_count(saved.value.path()) == SECONDS * RATE
        kept = service.asset(asset_id)["renditions"][0]["mp4_url"]
        assert page.evaluate(PLAYED, [urlsplit(kept).path, SECONDS * 0.75]) == [1280, 720]


def frame_count(file: Path) -> int:
    counted = ["-select_streams", "v", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"]
    return int(subprocess.check_output(["ffprobe", "-v", "error", *counted, str(file)]))


def _note(request: Request, asked: list[str]) -> None:
    asked.append(request.url)
