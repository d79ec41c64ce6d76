"""Clients that people have, against a real service whose web process is killed: tus-js-client, Uppy, tuspy."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import pytest
import requests
from playwright.sync_api import Browser
from tusclient.client import TusClient

from tests.integration.browsing import fresh_page
from tests.integration.service import Service, running_service
from tests.integration.test_up import find

CLIENT: Final = Path(__file__).parents[1] / "tus" / "upload.mjs"
UPPY: Final = CLIENT.parent / "node_modules" / "uppy" / "dist" / "uppy.min.mjs"
TUS: Final = {"Tus-Resumable": "1.0.0"}
BYTES: Final = 5_300_001

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not CLIENT.with_name("node_modules").exists(),
    reason="tus-js-client is not at hand (`make test` installs it)",
)


PAGE: Final = """<!doctype html><input type="file" id="file"><script type="module">
import { Uppy, Tus } from './uppy.min.mjs';
const { endpoint, token } = Object.fromEntries(new URLSearchParams(location.search));
const uppy = new Uppy({ autoProceed: true });
uppy.use(Tus, { endpoint, headers: { Authorization: `Bearer ${token}` }, chunkSize: 1_000_000,
  retryDelays: [100, 1000, 1000, 3000] });
uppy.on('complete', ({ successful, failed }) => { document.title = JSON.stringify({
  urls: successful.map((file) => file.uploadURL), failed: failed.map((file) => String(file.error)) }); });
document.getElementById('file').onchange = ({ target }) => { const [data] = target.files;
  uppy.addFile({ name: data.name, type: data.type, data }); };
window.uppy = uppy;
</script>"""


class Quiet(SimpleHTTPRequestHandler):
    """Somebody else's site."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The origin of a page that has Uppy."""
    directory = tmp_path_factory.mktemp("site")
    (directory / "index.html").write_text(PAGE)
    if UPPY.exists():
        shutil.copy(UPPY, directory)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(directory))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, site: str) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("tus") / "data", MEDIAFLOW_API_ORIGINS=site) as service:
        yield service


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("file") / "clip.mp4"
    path.write_bytes(random.Random(7).randbytes(BYTES))
    return path


def command(service: Service, file: Path, **said: Any) -> list[str]:
    document = {"endpoint": f"{service.url}/api/v1/tus", "token": service.token, "file": str(file), **said}
    return ["node", str(CLIENT), json.dumps(document)]


def sent(service: Service, file: Path, **said: Any) -> dict[str, Any]:
    done = subprocess.run(command(service, file, **said), capture_output=True, text=True, timeout=120, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def arrived(service: Service, url: str, file: Path) -> dict[str, Any]:
    """The asset of an upload, once its original is known to be the file."""
    told = requests.head(url, headers=service.headers | TUS, timeout=30)
    assert told.status_code in (200, 204), told.headers
    assert told.headers["Upload-Offset"] == told.headers["Upload-Length"] == str(file.stat().st_size)
    wanted, deadline = hashlib.sha256(file.read_bytes()).hexdigest(), time.monotonic() + 90
    while (asset := service.asset(told.headers["Mediaflow-Asset-Id"]))["sha256"] != wanted:
        assert time.monotonic() < deadline, asset
        time.sleep(0.1)
    return asset


@needs_node
@pytest.mark.parametrize(
    "said",
    [
        {},
        {"options": {"chunkSize": 1_000_000}},
        {"options": {"chunkSize": 65_536 * 3 + 1, "uploadDataDuringCreation": True}},
        {"options": {"parallelUploads": 3}},
        {"deferred": True},
        {"options": {"overridePatchMethod": True}},
    ],
    ids=["whole", "chunks", "with the creation", "parallel", "length later", "method override"],
)
def test_tus_js_client_sends_a_file(service: Service, file: Path, said: dict[str, Any]) -> None:
    told = sent(service, file, **said)

    assert (told.get("error"), told["retried"]) == (None, [])
    asset = arrived(service, told["url"], file)
    assert (asset["title"], asset["size_bytes"], asset["content_type"]) == ("über tus", BYTES, "video/mp4")


@needs_node
@pytest.mark.parametrize("size", [{}, {"chunkSize": 1_000_000}, {"uploadDataDuringCreation": True}])
def test_tus_js_client_speaks_the_other_dialect(service: Service, file: Path, size: dict[str, Any]) -> None:
    """As it has it: interop version 6. Stopped on the way, and gone on with."""
    place = {"endpoint": f"{service.url}/api/v1/resumable?filename=clip.mp4&title=resumed"}
    options = {"protocol": "ietf-draft-05", **size}
    stopped = sent(service, file, stopAt=2_000_000, options=options, **place)

    told = sent(service, file, uploadUrl=stopped["url"], options=options, **place)

    assert (told.get("error"), told["url"]) == (None, stopped["url"])
    assert arrived(service, told["url"], file)["title"] == "resumed"


@needs_node
def test_tus_js_client_goes_on_where_it_stopped(service: Service, file: Path) -> None:
    stopped = sent(service, file, stopAt=1_000_000, options={"chunkSize": 500_000})
    assert stopped["stopped"] < BYTES
    offset = int(requests.head(stopped["url"], headers=service.headers | TUS, timeout=30).headers["Upload-Offset"])
    assert 0 < offset < BYTES

    told = sent(service, file, uploadUrl=stopped["url"])

    assert (told.get("error"), told["url"]) == (None, stopped["url"])
    arrived(service, told["url"], file)


@needs_node
def test_uppy_sends_a_file_from_anothers_page_through_a_kill(
    service: Service, site: str, browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "large.mp4"
    file.write_bytes(random.Random(9).randbytes(40_000_000))
    with fresh_page(browser) as page:
        said = {"endpoint": f"{service.url}/api/v1/tus", "token": service.token}
        page.goto(f"{site}/?{urlencode(said)}")
        page.wait_for_function("window.uppy")
        page.set_input_files("#file", str(file))
        page.wait_for_function("uppy.getState().totalProgress > 20", timeout=60_000)
        for web in find(service, "mediaflow", "serve"):
            os.kill(web, signal.SIGKILL)
        page.wait_for_function("document.title !== ''", timeout=60_000)
        told = json.loads(page.title())

    assert told["failed"] == []
    arrived(service, told["urls"][0], file)


def test_tuspy_sends_a_file_and_goes_on(service: Service, file: Path) -> None:
    client = TusClient(f"{service.url}/api/v1/tus", headers=service.headers)
    with file.open("rb") as stream:
        uploader = client.uploader(file_stream=stream, chunk_size=700_001, metadata={"filename": "clip.mp4"})
        uploader.upload(stop_at=1_500_000)

        again = client.uploader(file_stream=stream, chunk_size=3_000_000, url=uploader.url, upload_checksum=True)
        assert again.offset == 1_500_000
        again.upload()

    assert uploader.url is not None
    arrived(service, uploader.url, file)


def begun(service: Service, size: int) -> str:
    answer = requests.post(
        f"{service.url}/api/v1/tus", headers=service.headers | TUS | {"Upload-Length": str(size)}, timeout=30
    )
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


def stalled(service: Service, url: str, announced: int, data: bytes) -> socket.socket:
    """A connection that sent some of what it announced, and then nothing: as if its network were gone."""
    host, _, port = service.url.removeprefix("http://").partition(":")
    connection = socket.create_connection((host, int(port)))
    path = url.removeprefix(service.url)
    said = service.headers | TUS | {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    lines = [f"PATCH {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {announced}"]
    lines += [f"{name}: {value}" for name, value in said.items()]
    connection.sendall("\r\n".join([*lines, "", ""]).encode() + data)
    return connection


def patched(service: Service, url: str, offset: int, data: bytes) -> requests.Response:
    said = TUS | {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
    return requests.patch(url, headers=service.headers | said, data=data, timeout=30)


def test_a_new_request_gets_the_better_of_a_dead_connection_within_three_seconds(service: Service, file: Path) -> None:
    data = file.read_bytes()
    url = begun(service, len(data))
    with stalled(service, url, len(data), data[:2_500_000]):
        time.sleep(1)

        began = time.monotonic()
        offset = int(requests.head(url, headers=service.headers | TUS, timeout=30).headers["Upload-Offset"])
        assert patched(service, url, offset, data[offset:]).status_code == 204
        assert time.monotonic() - began < 3

    assert offset > 0
    arrived(service, url, file)


def test_what_arrived_before_a_connection_ended_stays(service: Service, file: Path) -> None:
    data = file.read_bytes()
    url = begun(service, len(data))
    stalled(service, url, len(data), data[:2_500_000]).close()

    offset, deadline = 0, time.monotonic() + 10
    while offset < 2_500_000 and time.monotonic() < deadline:
        offset = int(requests.head(url, headers=service.headers | TUS, timeout=30).headers["Upload-Offset"])
    assert offset == 2_500_000
    assert patched(service, url, offset, data[offset:]).status_code == 204
    arrived(service, url, file)


def test_of_many_at_once_one_goes_on_and_all_bytes_are_right(service: Service, file: Path) -> None:
    data = file.read_bytes()
    url = begun(service, len(data))

    def send() -> None:
        for _ in range(60):
            told = requests.head(url, headers=service.headers | TUS, timeout=30)
            offset = int(told.headers["Upload-Offset"])
            if offset == len(data):
                return
            patched(service, url, offset, data[offset : offset + 400_000])

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    arrived(service, url, file)


@needs_node
def test_it_survives_kills_of_the_web_process(service: Service, tmp_path: Path) -> None:
    file = tmp_path / "large.mp4"
    file.write_bytes(random.Random(8).randbytes(60_000_000))
    client = subprocess.Popen(
        command(service, file, options={"chunkSize": 2_000_000}), stdout=subprocess.PIPE, text=True
    )
    for _ in range(3):
        time.sleep(0.5)
        if client.poll() is None:
            for web in find(service, "mediaflow", "serve"):
                os.kill(web, signal.SIGKILL)

    told = json.loads(client.communicate(timeout=120)[0])

    assert told.get("error") is None, told
    arrived(service, told["url"], file)
