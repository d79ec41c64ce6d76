"""What Firefox makes of our files: each size as an MP4 from its address, and the player's page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from mediaflow.testing.clips import audio_only, make_clip
from mediaflow.testing.measure import brightness
from tests.integration.firefox import Firefox, running_firefox
from tests.integration.service import Service

pytestmark = pytest.mark.slow

SECONDS = 9
"""Three segments; the middle is in the second one."""
BRIGHTER = f"eq=brightness='-0.4+0.8*t/{SECONDS}':saturation=0.3:eval=frame"
"""From dark to bright: 19 levels a second, so that a frame's brightness tells its time."""
ENTER = """async (token) => (await fetch('/api/v1/session', {
  method: 'POST', body: JSON.stringify({ token }),
  headers: { 'Content-Type': 'application/json', 'X-Requested-With': 'mediaflow' },
})).status"""
OPEN = """(url) => new Promise((resolve, reject) => {
  document.querySelector('video')?.remove();
  const video = document.createElement('video');
  video.onloadedmetadata = () => resolve([video.videoWidth, video.videoHeight, video.duration]);
  video.onerror = () => reject(new Error(video.error.message));
  document.body.append(video);
  video.src = url;
})"""
PLAY = "() => document.querySelector('video').play()"
PAUSE = "() => document.querySelector('video').pause()"
IS_BEHIND = """(place) => {
  const { currentTime, seeking, error } = document.querySelector('video');
  if (error) throw new Error(error.message);
  return !seeking && currentTime > place;
}"""
SEEK = """(place) => new Promise((resolve, reject) => {
  const video = document.querySelector('video');
  video.addEventListener('seeked', () => resolve(video.currentTime), { once: true });
  video.addEventListener('error', () => reject(new Error(video.error.message)), { once: true });
  video.currentTime = place;
})"""
HAS_ENDED = "() => document.querySelector('video').ended"
PLACE = "() => document.querySelector('video').currentTime"
CHOOSE = """(quality) => {
  const menu = document.getElementById('quality');
  menu.value = quality;
  menu.dispatchEvent(new Event('change', { bubbles: true }));
}"""
BRIGHTNESS = """() => {
  const video = document.querySelector('video'), { videoWidth: width, videoHeight: height } = video;
  const brush = new OffscreenCanvas(width, height).getContext('2d');
  brush.drawImage(video, 0, 0);
  const { data } = brush.getImageData(0, 0, width, height);
  let sum = 0;
  for (let i = 0; i < data.length; i += 4) sum += 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2];
  return sum / (width * height);
}"""
SOUND = """async (url) => {
  const bytes = await (await fetch(url)).arrayBuffer();
  const sound = await new OfflineAudioContext(1, 48000, 48000).decodeAudioData(bytes);
  return [sound.duration, Math.max(...sound.getChannelData(0).subarray(24000, 48000))];
}"""


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with running_firefox(tmp_path_factory.mktemp("firefox") / "home") as firefox:
        yield firefox


@pytest.fixture(scope="module")
def film(firefox: Firefox, service: Service, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A processed film whose largest size is the file's own pictures, cut and not encoded."""
    place = tmp_path_factory.mktemp("film") / "film.mp4"
    with_b_frames = ["-vf", BRIGHTER, "-preset", "veryfast", "-b:v", "600k"]
    clip = make_clip(place, seconds=SECONDS, width=854, height=480, video_options=with_b_frames)
    asset = service.settled(service.upload(clip).json()["asset_id"])
    assert asset["state"] == "ready", asset["error"]
    plan = service.call("GET", f"/assets/{asset['id']}/plan").json()
    assert "not encoded" in plan["renditions"][0]["why"]
    return asset


@pytest.mark.parametrize("name", ["480p", "360p"])
def test_each_size_plays_as_a_file(
    firefox: Firefox, service: Service, film: dict[str, Any], name: str, tmp_path: Path
) -> None:
    rendition = next(rendition for rendition in film["renditions"] if rendition["name"] == name)
    url = rendition["mp4_url"]
    firefox.goto(service.url)
    width, height, seconds = firefox.run(OPEN, url)
    assert (width, height) == (rendition["width"], rendition["height"])
    assert seconds == pytest.approx(SECONDS, abs=0.1)

    firefox.run(PLAY)
    firefox.until(IS_BEHIND, 0.5)
    firefox.run(PAUSE)
    assert firefox.run(SEEK, SECONDS / 2) == pytest.approx(SECONDS / 2, abs=0.05)
    assert firefox.run(BRIGHTNESS) == pytest.approx(middle(url, tmp_path), abs=4)

    firefox.run(PLAY)
    firefox.until(IS_BEHIND, SECONDS / 2 + 0.5)
    firefox.run(SEEK, SECONDS - 1)
    firefox.until(HAS_ENDED)
    assert firefox.run(PLACE) == pytest.approx(SECONDS, abs=0.1)
    assert_it_sounds(firefox, url)


def assert_it_sounds(firefox: Firefox, url: str) -> None:
    """All of it can be decoded, and there is a tone in it."""
    seconds, loudest = firefox.run(SOUND, url)
    assert seconds == pytest.approx(SECONDS, abs=0.1)
    assert loudest > 0.1


def middle(url: str, directory: Path) -> float:
    """How bright ffmpeg finds the frame in the middle, with black as 0 and white as 255."""
    kept = directory / "kept.mp4"
    kept.write_bytes(requests.get(url, timeout=60).content)
    _, luma = [frame for frame in brightness(kept) if frame[0] <= SECONDS / 2][-1]
    return (luma - 16) * 255 / 219


def test_sound_alone_is_read_as_a_file(firefox: Firefox, service: Service, tmp_path: Path) -> None:
    """Read and not played: Firefox plays a picture without a sound card, and sound alone with one only."""
    podcast = service.upload(audio_only(tmp_path / "sound.m4a", seconds=SECONDS), profile="audio-only")
    asset = service.settled(podcast.json()["asset_id"])
    urls = [rendition["mp4_url"] for rendition in asset["renditions"]]
    assert urls
    firefox.goto(service.url)
    for url in urls:
        assert firefox.run(OPEN, url) == [0, 0, pytest.approx(SECONDS, abs=0.1)]
        assert_it_sounds(firefox, url)


def test_the_page_plays_goes_elsewhere_and_changes_the_quality(
    firefox: Firefox, service: Service, film: dict[str, Any]
) -> None:
    firefox.goto(service.url)
    assert firefox.run(ENTER, service.token) == 200
    firefox.goto("about:blank")
    firefox.goto(f"{service.url}/#/watch/{film['id']}")
    firefox.until("() => document.querySelector('video')?.currentTime > 0.5")
    assert firefox.run(SEEK, SECONDS / 2) == pytest.approx(SECONDS / 2, abs=0.05)
    firefox.until(IS_BEHIND, SECONDS / 2 + 0.2)
    for name, height in (("360p", 360), ("480p", 480)):
        firefox.run(CHOOSE, name)
        firefox.until("(height) => document.querySelector('video').videoHeight === height", height)
    assert firefox.run(BRIGHTNESS) > 50
    firefox.until(HAS_ENDED)
    assert firefox.run("() => document.getElementById('watch-trouble').checkVisibility()") is False
