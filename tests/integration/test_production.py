"""The same journey on the backends of production: S3, MongoEngine, Redis, gunicorn, two worker processes."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import m3u8
import pytest
import requests

from mediaflow.embedded.addresses import free_port
from mediaflow.embedded.redis_server import configure_redis
from mediaflow.testing.clips import make_clip
from tests.chaos.proxy import Proxy, running_proxy
from tests.cli.conftest import eventually, is_gone
from tests.contracts.nxserver import running_nx_server
from tests.contracts.s3server import running_s3_server
from tests.integration.service import Service, clean_environ
from tests.programs import running

KEY = "a key of the tests that is long enough for HS256"
ROOT = Path(__file__).parents[2]


@dataclass
class Production:
    """The service as two of its users have it."""

    ann: Service
    bob: Service
    masters: tuple[int, ...]
    between: dict[str, Proxy]
    """What stands between the service and its `mongo` and `s3`."""


def made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def minted(user: str, environ: dict[str, str]) -> str:
    """A token as an operator makes it."""
    command = [sys.executable, "-m", "mediaflow", "token", "--user", user]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout.strip()


def wait_ready(url: str, log: Path) -> None:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        try:
            if requests.get(f"{url}/readyz", timeout=5).status_code == 200:
                return
        # the socket is open before the worker that answers has started
        except (requests.ConnectionError, requests.Timeout):
            pass
        time.sleep(0.2)
    pytest.fail(f"not ready: {log.read_text()[-3000:]}")


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    directory = tmp_path_factory.mktemp("production")
    web_port = free_port()
    with ExitStack() as stack:
        s3 = stack.enter_context(running_s3_server(made(directory / "s3")))
        mongo = stack.enter_context(running_nx_server(made(directory / "mongo")))
        between = {
            name: stack.enter_context(running_proxy(address))
            for name, address in (("mongo", mongo), ("s3", s3.endpoint))
        }
        redis = configure_redis(made(directory / "redis"), stack)
        server = [shutil.which("redis-server") or redis.program[0], *redis.program[1:]]
        stack.enter_context(running(server, directory / "redis.log", dict(os.environ), directory / "redis"))
        environ = clean_environ(
            MEDIAFLOW_DATA_DIR=str(directory / "data"),
            MEDIAFLOW_DATABASE_URL=f"mongodb://{between['mongo'].address}/mediaflow",
            MEDIAFLOW_REDIS_URL=redis.url,
            **s3.environment("mediaflow")
            | {"MEDIAFLOW_STORAGE_URL": s3.url("mediaflow").replace(s3.endpoint, between["s3"].address)},
            MEDIAFLOW_JWT_KEY=KEY,
            MEDIAFLOW_PORT=str(web_port),
            MEDIAFLOW_METRICS_BIND="off",
            MEDIAFLOW_WORKER_PROCESSES="2",
        )
        binaries = Path(sys.executable).parent
        url = f"http://127.0.0.1:{web_port}"
        web_log, worker_log = directory / "web.log", directory / "worker.log"
        gunicorn = [str(binaries / "gunicorn"), "-c", "gunicorn.conf.py", "wsgi:app"]
        dramatiq = [str(binaries / "dramatiq"), "mediaflow.worker", "--processes", "2", "--threads", "4"]
        masters = [
            stack.enter_context(running(command, log, environ))
            for command, log in (
                (gunicorn, web_log),
                (dramatiq, worker_log),
            )
        ]
        wait_ready(url, web_log)
        ann, bob = (Service(url, minted(user, environ), "", "", directory, 0) for user in ("ann", "bob"))
        yield Production(ann, bob, tuple(master.pid for master in masters), between)
        for log in (web_log, worker_log):
            assert not [line[-6000:] for line in log.read_text().splitlines() if "Traceback" in line]


def test_a_clip_is_uploaded_encoded_and_streamed(production: Production, clip: Path) -> None:
    answer = production.ann.upload(clip, chunk_size_bytes=5 * 1024**2)
    assert answer.status_code == 201, answer.text
    asset = production.ann.settled(answer.json()["asset_id"])
    assert asset["state"] == "ready", asset
    playback = production.ann.playback(asset["id"])
    master = m3u8.loads(requests.get(playback["hls_url"], timeout=30).text, uri=playback["hls_url"])
    media_url = master.playlists[0].absolute_uri
    media = m3u8.loads(requests.get(media_url, timeout=30).text, uri=media_url)
    segments = [requests.get(segment.absolute_uri, timeout=30) for segment in media.segments]
    assert {segment.status_code for segment in segments} == {200}
    part = requests.get(media.segments[0].absolute_uri, headers={"Range": "bytes=4-7"}, timeout=30)
    assert (part.status_code, part.content) == (206, segments[0].content[4:8])
    thumbnail = requests.get(playback["thumbnail_url"], timeout=30)
    assert thumbnail.headers["Content-Type"] == "image/jpeg"
    assert thumbnail.content[:2] == b"\xff\xd8"


@pytest.mark.slow
def test_two_workers_share_what_is_to_do(production: Production, clip: Path) -> None:
    assets = [production.ann.upload(clip, dedup="off").json()["asset_id"] for _ in range(4)]
    assert [production.ann.settled(asset)["state"] for asset in assets] == ["ready"] * 4
    jobs = [production.ann.call("GET", f"/jobs?asset_id={asset}").json()["items"][0]["id"] for asset in assets]
    tasks = [task for job in jobs for task in production.ann.call("GET", f"/jobs/{job}").json()["tasks"]]
    assert {task["state"] for task in tasks} == {"done"}
    assert {task["attempts"] for task in tasks} == {1}


def test_others_do_not_see_it(production: Production, clip: Path) -> None:
    asset_id = production.ann.upload(clip).json()["asset_id"]
    nobody = requests.get(f"{production.ann.url}/api/v1/assets/{asset_id}", timeout=30)
    assert nobody.status_code == 401
    assert production.bob.call("GET", f"/assets/{asset_id}").status_code == 404
    assert production.bob.call("DELETE", f"/assets/{asset_id}").status_code == 404
    assert production.ann.settled(asset_id)["state"] == "ready"


@pytest.mark.parametrize(
    ("away", "told"), [("mongo", {"list": 503, "announced": 503}), ("s3", {"list": 200, "announced": 503})]
)
def test_what_is_away_is_told_at_once_while_it_is_known_and_used_when_it_is_back(
    production: Production, away: str, told: dict[str, int]
) -> None:
    """All dependencies, in all ways and by twos: tests/chaos/test_dependencies.py."""
    ann, began = production.ann, time.monotonic()
    ann.call("GET", "/assets")
    production.between[away].become("cut")
    try:
        for _ in range(2):
            answers = {
                "list": ann.call("GET", "/assets"),
                "announced": ann.call("POST", "/uploads", json={"filename": "a.mp4", "size_bytes": 10}),
            }
            assert {name: answer.status_code for name, answer in answers.items()} == told
            assert all("Retry-After" in answer.headers for answer in answers.values() if answer.status_code == 503)
            assert requests.get(f"{ann.url}/livez", timeout=5).status_code == 200
    finally:
        production.between[away].become("ok")
    assert time.monotonic() - began < 30  # 3 s for who finds out; it was 10 s for each that wrote
    wait_ready(ann.url, Path(os.devnull))
    assert ann.call("GET", "/assets").status_code == 200


def test_nothing_outlives_masters_that_are_killed(production: Production, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=30, width=1280, height=720)
    assert production.ann.upload(clip).status_code == 201
    assert eventually(lambda: "ffmpeg" in family(production.masters).values(), 40)
    everybody = family(production.masters)
    for master in production.masters:
        os.kill(master, signal.SIGKILL)
    assert eventually(lambda: all(map(is_gone, everybody))), [
        name for pid, name in everybody.items() if not is_gone(pid)
    ]


def family(roots: Iterable[int]) -> dict[int, str]:
    """These processes and all that they started: their names by their numbers."""
    stats = [text for file in Path("/proc").glob("[0-9]*/stat") if (text := _read(file))]
    split = [re.fullmatch(r"(\d+) \((.*)\) \S (\d+) .*", text, re.DOTALL) for text in stats]
    every = {int(found[1]): (found[2], int(found[3])) for found in split if found}
    kin = set(roots)
    while more := {pid for pid, (_, parent) in every.items() if parent in kin} - kin:
        kin |= more
    return {pid: every[pid][0] for pid in kin if pid in every}


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""  # it has ended
