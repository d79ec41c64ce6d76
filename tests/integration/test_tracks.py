"""Captions and languages in a player: hls.js in a real browser shows cues with their pictures and switches sounds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import m3u8
import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from mediaflow.testing import clips
from tests.integration.browsing import fresh_page, sign_in
from tests.integration.service import Service

PAGE = """<!doctype html>
<main></main>
<video controls></video>
<script type="module">
import Hls from '/static/vendor/hls.js/hls.min.mjs';
const video = document.querySelector('video');
const hls = new Hls({ enableWorker: false });
hls.loadSource(decodeURIComponent(location.hash.slice(1)));
hls.attachMedia(video);
const context = new AudioContext();
const analyser = new AnalyserNode(context, { fftSize: 8192 });
context.createMediaElementSource(video).connect(analyser).connect(context.destination);
const canvas = new OffscreenCanvas(16, 16).getContext('2d', { willReadFrequently: true });
Object.assign(window, {
  hls,
  video,
  brightness() {
    canvas.drawImage(video, 0, 0, 16, 16);
    return canvas.getImageData(0, 0, 1, 1).data[0];
  },
  pitch() {
    const bins = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(bins);
    const loudest = bins.reduce((best, value, n) => (value > bins[best] ? n : best), 0);
    return bins[loudest] < -60 ? 0 : (loudest * context.sampleRate) / analyser.fftSize;
  },
  cues() {
    const cues = [...video.textTracks].flatMap((track) => [...(track.cues ?? [])]);
    return cues.map(({ startTime, endTime, text }) => [startTime, endTime, text]);
  },
  active: () => [...video.textTracks].flatMap((track) => [...(track.activeCues ?? [])]).map((cue) => cue.text),
});
</script>
"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with fresh_page(browser) as page:
        yield page


def processed(service: Service, source: Path) -> dict[str, Any]:
    asset = service.settled(service.upload(source).json()["asset_id"], timeout_seconds=90)
    assert asset["state"] == "ready", asset["error"]
    return asset


def put_captions(service: Service, asset: dict[str, Any], language: str, text: str, **query: str) -> None:
    headers = {"Content-Type": "text/vtt"}
    path = f"/assets/{asset['id']}/captions/{language}"
    answer = service.call("PUT", path, data=text.encode(), headers=headers, params=query)
    assert answer.status_code == 201, answer.text


def play(page: Page, service: Service, asset: dict[str, Any]) -> None:
    url = f"{service.url}/tracks-under-test"
    page.route(url, lambda route: route.fulfill(body=PAGE, content_type="text/html"))
    page.goto(f"{url}#{service.playback(asset['id'])['hls_url']}")
    wait(page, "video.readyState >= 3")


def wait(page: Page, condition: str) -> None:
    page.wait_for_function(f"() => {condition}", timeout=20_000)


def seek(page: Page, seconds: float) -> None:
    page.evaluate(f"video.currentTime = {seconds}")
    wait(page, "!video.seeking && video.readyState >= 2")
    page.wait_for_timeout(200)  # the picture is painted after the event


def test_a_cue_is_shown_with_its_picture(page: Page, service: Service, tmp_path: Path) -> None:
    """The flash of the picture lasts from 2.6 to 2.7 s, and so does the cue: they come and go together."""
    asset = processed(service, clips.flash_and_beep(tmp_path / "c.mp4", seconds=7.0))
    text = "WEBVTT\n\n00:02.600 --> 00:02.700\nflash\n\n00:04.600 --> 00:04.700\n<i>again</i>\n"
    put_captions(service, asset, "en", text, default="true")

    play(page, service, asset)

    wait(page, "cues().length === 2")
    assert page.evaluate("cues()") == [[2.6, 2.7, "flash"], [4.6, 4.7, "<i>again</i>"]]
    for at, flashing in ((2.54, False), (2.62, True), (2.74, False), (4.54, False), (4.62, True), (4.74, False)):
        seek(page, at)
        assert (page.evaluate("brightness()") > 128) is flashing, at
        assert bool(page.evaluate("active()")) is flashing, at


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "mov_text"), ("mkv", "srt"), ("webm", "webvtt")])
def test_subtitles_of_the_file_are_captions_that_the_owner_keeps_or_deletes(
    page: Page, service: Service, tmp_path: Path, suffix: str, codec: str
) -> None:
    flash = clips.flash_and_beep(tmp_path / "flash.mp4", seconds=7.0)
    text = tmp_path / "a.srt"
    text.write_text("1\n00:00:02,600 --> 00:00:02,700\nflash\n\n2\n00:00:04,600 --> 00:00:04,700\n<i>again</i>\n")
    source, sounds = tmp_path / f"c.{suffix}", ["-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus"]
    inputs = ["-i", str(flash), "-i", str(text), "-i", str(text), "-map", "0", "-map", "1", "-map", "2"]
    told = ["-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=ger", "-disposition:s:1", "default"]
    kept = sounds if suffix == "webm" else ["-c", "copy"]
    clips.run_ffmpeg([*inputs, *kept, "-c:s", codec, *told, str(source)])
    asset = processed(service, source)

    # given: they are listed, and shown with their pictures
    listed = service.call("GET", f"/assets/{asset['id']}/captions").json()["items"]
    assert [(c["language"], c["label"], c["default"]) for c in listed] == [
        ("en", "English", False),
        ("de", "Deutsch", True),
    ]
    play(page, service, asset)
    wait(page, "cues().length === 2")
    for at, flashing in ((2.54, False), (2.64, True), (2.76, False)):
        seek(page, at)
        assert (page.evaluate("brightness()") > 128) is flashing, at
        assert bool(page.evaluate("active()")) is flashing, at

    # when: the owner deletes one, and has all of it processed again
    assert service.call("DELETE", f"/assets/{asset['id']}/captions/de").status_code == 204
    assert service.call("POST", f"/assets/{asset['id']}/reprocess", json={}).status_code == 202
    jobs: list[str] = []
    while jobs != ["done", "done"]:
        jobs = [job["state"] for job in service.call("GET", f"/jobs?asset_id={asset['id']}").json()["items"]]
        page.wait_for_timeout(200)
        assert "failed" not in jobs

    # then: it stays away, and the other one is there
    assert [c["language"] for c in service.playback(asset["id"])["captions"]] == ["en"]


def test_languages_of_sound_and_captions_are_listed_and_switched(page: Page, service: Service, tmp_path: Path) -> None:
    asset = processed(service, clips.languages(tmp_path / "c.mkv", ["eng", "ger", "fra"], seconds=9.0))
    put_captions(service, asset, "de", "WEBVTT\n\n00:00.000 --> 00:09.000\nHallo\n")
    put_captions(service, asset, "pt-BR", "WEBVTT\n\n00:00.000 --> 00:09.000\nOla\n")
    assert [stream["language"] for stream in asset["media"]["more_audio"]] == ["ger", "fra"]

    play(page, service, asset)

    names = page.evaluate("hls.audioTracks.map(({ name, lang, default: d }) => [name, lang, d])")
    assert names == [["English", "en", True], ["Deutsch", "de", False], ["Français", "fr", False]]
    texts = page.evaluate("hls.subtitleTracks.map(({ name, lang, default: d }) => [name, lang, d])")
    assert texts == [["Deutsch", "de", False], ["Português (Brasil)", "pt-BR", False]]
    page.evaluate("video.loop = true; void video.play()")
    for index, pitch in ((0, 440), (1, 880), (2, 1760), (0, 440)):
        page.evaluate(f"hls.audioTrack = {index}")
        wait(page, f"Math.abs(pitch() - {pitch}) < 20")
    for index, text in ((1, "Ola"), (0, "Hallo")):
        page.evaluate(f"hls.subtitleTrack = {index}")
        wait(page, f"active().includes('{text}')")


@pytest.mark.slow
def test_sound_alone_has_languages_too(page: Page, service: Service, tmp_path: Path) -> None:
    source = clips.languages(tmp_path / "c.mka", ["eng", "deu"], seconds=5.0, options=["-vn"])
    asset = processed(service, source)
    assert [rendition["name"] for rendition in asset["renditions"]] == ["audio-192k", "audio-128k", "audio-64k"]
    put_captions(service, asset, "en", "WEBVTT\n\n00:00.000 --> 00:05.000\nHello\n", default="true")

    play(page, service, asset)

    page.evaluate("video.loop = true; void video.play()")
    wait(page, "active().includes('Hello')")
    for index, pitch in ((1, 880), (0, 440)):
        page.evaluate(f"hls.audioTrack = {index}")
        wait(page, f"Math.abs(pitch() - {pitch}) < 20")


@pytest.mark.parametrize(
    ("amount", "warning"),
    [
        pytest.param("1", "The sound in 'deu' can't be decoded and is left out.", id="from the start"),
        pytest.param(
            "if(gt(n\\,60)\\,1\\,-1)", "audio-deu is left out: The file is damaged", id="later", marks=pytest.mark.slow
        ),
    ],
)
def test_a_language_that_can_not_be_used_is_left_out_with_a_warning(
    service: Service, page: Page, tmp_path: Path, amount: str, warning: str
) -> None:
    """The second sound is noise that calls itself AAC."""
    source = clips.languages(tmp_path / "c.mkv", ["eng", "deu", "fra"], seconds=6.0)
    broken = spoiled(source, tmp_path / "broken.mkv", stream=2, amount=amount)

    asset = processed(service, broken)

    (told,) = asset["media"]["warnings"]
    assert told.startswith(warning)
    master = m3u8.loads(requests.get(service.playback(asset["id"])["hls_url"], timeout=10).text)
    assert {(media.language, media.name) for media in master.media} == {("en", "English"), ("fr", "Français")}
    sign_in(page, service)
    page.goto(f"{service.url}/#/watch/{asset['id']}")
    expect(page.locator("#watch-warnings")).to_have_text(f"⚠ {told}")


def spoiled(source: Path, target: Path, *, stream: int, amount: str) -> Path:
    """The file with noise in the packets of one stream."""
    noise = ["-bsf:" + str(stream), f"noise=amount={amount}"]
    clips.run_ffmpeg(["-i", str(source), "-map", "0", "-c", "copy", *noise, str(target)])
    return target
