"""A film that lies on somebody's server, fetched and played; its worker is killed meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from mediaflow.testing.clips import make_clip
from tests.integration.service import Service, running_service
from tests.integration.test_up import find


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("far") / "film.mp4", seconds=4)


@pytest.fixture(scope="module")
def far(film: Path) -> Iterator[tuple[str, list[str]]]:
    """The address of the film, whose server takes its time, and the ranges that it was asked for."""
    data, asked = film.read_bytes(), list[str]()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            asked.append(wanted)
            begin = int(wanted.removeprefix("bytes=").removesuffix("-") or 0)
            self.send_response(206 if begin else 200)
            if begin:
                self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
            self.send_header("ETag", '"film"')
            self.send_header("Content-Length", str(len(data) - begin))
            self.end_headers()
            step = len(data) // 20 + 1
            for at in range(begin, len(data), step):
                self.wfile.write(data[at : at + step])
                time.sleep(0.2 if len(asked) == 1 else 0)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/film.mp4", asked
        server.shutdown()


def test_a_film_is_fetched_though_its_worker_dies(film: Path, far: tuple[str, list[str]], tmp_path: Path) -> None:
    url, asked = far
    with running_service(tmp_path / "data", MEDIAFLOW_IMPORT_ALLOWED_NETWORKS="127.0.0.0/8") as service:
        begun = service.call("POST", "/imports", json={"url": url, "metadata": {"title": "From afar"}})
        assert begun.status_code == 202, begun.text
        document = begun.json()
        until(lambda: asked != [])
        time.sleep(1)
        for worker in find(service, "mediaflow", "worker"):
            os.kill(worker, signal.SIGKILL)

        asset = service.settled(document["asset_id"], timeout_seconds=120)

        assert (asset["state"], asset["title"], asset["size_bytes"]) == ("ready", "From afar", film.stat().st_size)
        assert service.call("GET", f"/imports/{document['upload_id']}").json()["state"] == "done"
        assert len(asked) >= 2


def test_it_is_not_fetched_from_this_network(service: Service, far: tuple[str, list[str]]) -> None:
    url, asked = far
    before = len(asked)
    assert service.call("POST", "/imports", json={"url": url}).status_code == 422
    hidden = url.replace("127.0.0.1", "2130706433")
    begun = service.call("POST", "/imports", json={"url": hidden})
    assert begun.status_code == 202
    asset = service.settled(begun.json()["asset_id"], timeout_seconds=60)
    assert (asset["state"], asset["error"]["code"]) == ("failed", "url.refused")
    assert len(asked) == before


def until(condition: object, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def run_import(service: Service, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "mediaflow", "import", *arguments, "--json"]
    done = subprocess.run(
        [*command, "--url", service.url, "--token", service.token], check=True, capture_output=True, timeout=120
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_library_is_imported_where_it_lies_and_plays(service: Service, tmp_path: Path) -> None:
    library = tmp_path / "library"
    (library / "deep").mkdir(parents=True)
    film = make_clip(library / "deep" / "film.mp4", seconds=2)
    (library / "deep" / "film.json").write_text('{"title": "Summer", "tags": ["sea"]}')
    (library / "deep" / "film.de.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:01.000\nHallo\n")

    found = run_import(service, str(library), "--recursive", "--link", "--owner", "heidi", "--visibility", "unlisted")

    assert (found["state"], found["counts"]["taken"]) == ("done", 1)
    (asset,) = service.call("GET", "/assets?owner=heidi").json()["items"]
    asset = service.settled(asset["id"], timeout_seconds=120)
    assert (asset["state"], asset["title"], asset["visibility"]) == ("ready", "Summer", "unlisted")
    assert (asset["original"]["state"], [each["language"] for each in asset["captions"]]) == ("linked", ["de"])
    playback = service.call("POST", f"/assets/{asset['id']}/playback").json()
    assert requests.get(playback["hls_url"], timeout=20).status_code == 200
    kept = service.call("GET", f"/assets/{asset['id']}/original")
    assert kept.status_code == 200, kept.text
    assert kept.content == film.read_bytes()
    again = run_import(service, str(library), "--recursive", "--link", "--owner", "heidi")
    assert (again["counts"]["found"], again["counts"]["unchanged"]) == (1, 1)

    film.rename(film.with_suffix(".moved"))
    until(lambda: service.call("GET", f"/assets/{asset['id']}").json()["original"]["state"] == "gone", 60)
    health = service.call("GET", "/health").json()
    assert (health["originals"]["gone"], health["originals"]["state"]) == (1, "warning")
    assert requests.get(playback["hls_url"], timeout=20).status_code == 200


def test_a_followed_folder_takes_what_is_dropped_into_it(service: Service, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mediaflow", "import", str(tmp_path), "--watch", "--json", "--tag", "dropped"]
    with subprocess.Popen(
        [*command, "--url", service.url, "--token", service.token], stdout=subprocess.PIPE, text=True
    ) as following:
        time.sleep(2)
        make_clip(tmp_path / "dropped.mp4", seconds=1)
        dropped = "/assets?q=dropped"
        until(lambda: service.call("GET", dropped).json()["total"] == 1, 60)
        following.send_signal(signal.SIGINT)
        said, _ = following.communicate(timeout=30)
    assert following.returncode == 0
    report = json.loads(said)
    assert (report["state"], report["counts"]["taken"]) == ("ended", 1)
