"""Packages of other people in one running service: what they make is fetched as any client fetches it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import m3u8
import pytest
import requests
from redis import Redis

from mediaflow.testing.clips import make_clip, run_ffmpeg
from tests.integration.service import Service, clean_environ, running_service
from tests.persistence.redis_server import RedisServer, running_redis

THIRD_PARTY = Path(__file__).parents[1] / "thirdparty"
MOST_LINES = 150
"""Of Python, in a package that does one useful thing: more means that the API is not there for it."""
MOST_SECONDS = 5
pytestmark = pytest.mark.timeout(300)  # the first to need the service waits for pip and its start


@dataclass(frozen=True)
class Outside:
    """A service with the packages, whose objects are all in a server of Valkey."""

    service: Service
    objects: Redis

    def ingested(self, clip: Path, profile: str) -> dict[str, Any]:
        """The asset of the clip, settled."""
        announced = self.service.upload(clip, profile=profile, chunk_size_bytes=50_000)
        assert announced.status_code == 201, announced.text
        return self.service.settled(announced.json()["asset_id"])

    def playback(self, asset: dict[str, Any]) -> dict[str, Any]:
        assert asset["state"] == "ready", asset
        return self.service.playback(asset["id"])

    def stored(self) -> list[str]:
        """Of all objects that there are."""
        found: list[bytes] = list(self.objects.zrange("index", 0, -1))  # type: ignore[arg-type]
        return [key.decode() for key in found]

    def get(self, url: str, **headers: str) -> requests.Response:
        """What the URL answers anyone, relative to the service."""
        answer = requests.get(urljoin(self.service.url, url), headers=headers, timeout=60)
        assert answer.ok, (url, answer.status_code, answer.text)
        return answer

    def variants(self, master_url: str) -> dict[tuple[str, tuple[int, int]], list[str]]:
        """The files of each variant by its codec and size: init segment and segments, as URLs."""
        found = {}
        for variant in m3u8.loads(self.get(master_url).text).playlists:
            url = urljoin(master_url, variant.uri)
            playlist = m3u8.loads(self.get(url).text)
            files = [playlist.segment_map[0].uri, *(segment.uri for segment in playlist.segments)]
            key = variant.stream_info.codecs[:4], variant.stream_info.resolution
            found[key] = [urljoin(url, file) for file in files]
        return found

    def joined(self, urls: list[str], directory: Path) -> Path:
        """What the URLs answer, in one file."""
        file = directory / "joined.mp4"
        file.write_bytes(b"".join(self.get(url).content for url in urls))
        return file


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("memory")) as server:
        yield server


@pytest.fixture(scope="module")
def outside(thirdparty_site: Path, memory: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    environ = {
        "PYTHONPATH": os.pathsep.join([str(thirdparty_site), os.environ.get("PYTHONPATH", "")]),
        "MEDIAFLOW_STORAGE_URL": memory.url.replace("redis:", "valkey:"),
        "MEDIAFLOW_DIARY_SECONDS": "0",
        "MEDIAFLOW_EXTRAS_MAX_SECONDS": str(MOST_SECONDS),
    }
    data_dir = tmp_path_factory.mktemp("outside") / "data"
    with running_service(data_dir, **environ) as service, Redis.from_url(memory.url) as objects:
        yield Outside(service, objects)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", seconds=3, width=640, height=360)


@pytest.fixture(scope="module")
def extras(outside: Outside, clip: Path) -> dict[str, Any]:
    """The clip as the profile of mediaflow-extras makes it."""
    return outside.ingested(clip, "extras")


# --- mediaflow-av1


def test_av1_plays_beside_h264(outside: Outside, clip: Path, tmp_path: Path) -> None:
    asset = outside.ingested(clip, "web-av1")
    playback = outside.playback(asset)
    variants = outside.variants(playback["manifests"]["hls"])
    shown = {variant: _facts(outside.joined(files, tmp_path)) for variant, files in variants.items()}
    expected = {
        "av01": {"codec_name": "av1", "nb_read_frames": "75"},
        "avc1": {"codec_name": "h264", "nb_read_frames": "75"},
    }
    assert shown == {(codec, size): expected[codec] for codec in expected for size in ((640, 360), (320, 180))}
    assert {rendition["codecs"].split(".")[0] for rendition in asset["renditions"]} >= {"av01", "avc1"}


def _facts(file: Path) -> dict[str, Any]:
    """Codec and number of the frames that really decode."""
    run_ffmpeg(["-xerror", "-i", str(file), "-f", "null", "-"])
    shown = ["-count_frames", "-show_entries", "stream=codec_name,nb_read_frames", "-of", "json"]
    done = subprocess.run(["ffprobe", "-v", "error", *shown, str(file)], capture_output=True, text=True, check=True)
    facts: dict[str, Any] = json.loads(done.stdout)["streams"][0]
    return facts


def test_av1_that_takes_the_names_of_h264_is_refused_before_anything_is_encoded(
    edited_site: Callable[[Callable[[Path], None]], Path], clip: Path
) -> None:
    def name_as_h264_does(site: Path) -> None:
        step = site / "mediaflow_av1" / "step.py"
        text = step.read_text()
        assert text.count(', suffix="av1"') == 1
        step.write_text(text.replace(', suffix="av1"', ""))

    site = edited_site(name_as_h264_does)
    command = [sys.executable, "-m", "mediaflow", "plan", str(clip), "--profile", "web-av1"]
    environ = clean_environ(PYTHONPATH=str(site))
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "the steps 'video.h264' and 'video.svtav1' both make '360p'" in " ".join(done.stderr.split())


# --- mediaflow-extras


def test_another_manifest_format_and_a_download_reach_viewers(
    outside: Outside, extras: dict[str, Any], tmp_path: Path
) -> None:
    playback = outside.playback(extras)
    url = playback["manifests"]["m3u"]
    index, master = outside.get(url), outside.get(playback["manifests"]["hls"])
    assert index.headers["Content-Type"].split(";")[0] == "audio/x-mpegurl"
    assert index.headers["Cache-Control"] == master.headers["Cache-Control"]
    assert index.text.startswith("#EXTM3U\n")
    (listed,) = [line for line in index.text.splitlines() if line.endswith(".m3u") and not line.startswith("audio")]
    files = [line for line in outside.get(urljoin(url, listed)).text.splitlines() if not line.startswith("#")]
    joined = outside.joined([urljoin(urljoin(url, listed), file) for file in files], tmp_path)
    assert _facts(joined) == {"codec_name": "h264", "nb_read_frames": "75"}

    (sound,) = [output for output in playback["outputs"] if output["kind"] == "download"]
    answer = outside.get(sound["url"])
    assert (sound["title"], sound["content_type"]) == ("The sound alone", "audio/mp4")
    assert answer.headers["Content-Type"] == "audio/mp4"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert len(answer.content) == sound["size_bytes"]
    kept = tmp_path / "sound.m4a"
    kept.write_bytes(answer.content)
    assert _facts(kept)["codec_name"] == "aac"


def test_a_validation_with_a_setting_of_its_own_rejects(outside: Outside, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "long.mp4", seconds=MOST_SECONDS + 1, width=160, height=90, rate="5")
    asset = outside.ingested(clip, "extras")
    assert asset["state"] == "rejected"
    assert asset["error"] == {"code": "media.too_long", "detail": "The file lasts 6.0 s; at most 5 s are taken here."}


# --- mediaflow-valkey


def test_a_storage_of_somebody_else_holds_everything(outside: Outside, extras: dict[str, Any]) -> None:
    playback = outside.playback(extras)
    assert {key.split("/")[0] for key in outside.stored()} == {"assets", "originals"}
    assert not list((outside.service.data_dir / "objects").rglob("*"))
    (sound,) = [output for output in playback["outputs"] if output["kind"] == "download"]
    whole, part = outside.get(sound["url"]), outside.get(sound["url"], Range="bytes=1000-1999")
    assert (part.status_code, part.content) == (206, whole.content[1000:2000])


# --- mediaflow-diary


def test_what_a_listener_noted_is_written_down_by_periodic_work(outside: Outside, extras: dict[str, Any]) -> None:
    def asked(path: str) -> dict[str, Any]:
        answer = outside.service.call("GET", path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    give_up_at = time.monotonic() + 30
    while extras["id"] not in asked("/plugins/diary/")["assets"]:
        assert time.monotonic() < give_up_at, asked("/plugins/diary/")
        time.sleep(0.1)
    listed = {plugin["name"]: plugin for plugin in asked("/plugins")["items"]}
    assert listed["diary"]["periodics"] == ["diary.write"]


# --- what holds for all of them


@pytest.mark.parametrize("name", ["valkey", "extras", "diary", pytest.param("av1", marks=pytest.mark.slow)])
def test_their_own_tests_pass_with_the_shipped_contracts(thirdparty_site: Path, memory: RedisServer, name: str) -> None:
    tests = THIRD_PARTY / f"mediaflow-{name}" / "tests"
    storage = memory.url.replace("redis:", "valkey:").replace("/0", "/1")
    environ = clean_environ(PYTHONPATH=str(thirdparty_site), VALKEY_URL=storage)
    options = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tests), "--confcutdir", str(tests)]
    command = [sys.executable, "-m", "pytest", *options, str(tests)]
    done = subprocess.run(command, cwd=thirdparty_site, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_is_short_and_imports_nothing_but_the_public_api() -> None:
    for package in THIRD_PARTY.glob("mediaflow-*"):
        modules = list(package.glob("mediaflow_*/*.py"))
        lines = [line for module in modules for line in module.read_text().splitlines() if line.strip()]
        imports = {line.split()[1] for line in lines if line.strip().startswith(("import mediaflow", "from mediaflow"))}
        assert modules
        assert len(lines) < MOST_LINES, package.name
        assert {name for name in imports if not name.startswith(package.name.replace("-", "_"))} == {"mediaflow.plugin"}
