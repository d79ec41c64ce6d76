"""A thousand slow clients of one address, and three thousand that wait: what others notice of them.

The time that a probe may take is 0.2 s, or what it takes anyway where the machine has other work.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mediaflow.persistence import open_database
from tests.api.server import Server, running_server
from tests.benchmarks.slow_clients import LONG
from tests.contracts.nxserver import running_nx_server
from tests.integration.nginx import nginx_program, running_nginx
from tests.integration.published import Published, publish
from tests.programs import ROOT
from tests.services.records import a_published_asset

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PROBE_SECONDS = 0.2
SETTLE_SECONDS = 8.0
MEASURED_SECONDS = 15.0
SLOW = {"headers": 250, "bodies": 250, "chunks": 250, "readers": 250}
FOLLOWING = {"streams": 1000}
"""Streams of the honest client's events, two of which happen in a second or so: each wakes all of them."""
ANY_NUMBER = {
    "web_connections_per_address": "0",
    "event_streams_per_address": "0",
    "event_streams_per_user": "1000",
}
WAITING = {"parked": 1000, "events": 1000, "bodies": 1000}
SEGMENT, BIG = "g1/video-0.1/360p/seg.m4s", "g1/video-0.1/360p/big.m4s"
COMMAND = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "tests.api.pausing:app"]


@dataclass
class Measured:
    """Seconds and statuses of one kind of request."""

    seconds: list[float] = field(default_factory=list)
    statuses: set[int | str] = field(default_factory=set)

    @property
    def p99(self) -> float:
        return sorted(self.seconds)[int(len(self.seconds) * 0.99)]

    def __str__(self) -> str:
        median = sorted(self.seconds)[len(self.seconds) // 2]
        return f"{median * 1000:.0f} ms median, {self.p99 * 1000:.0f} ms p99 of {len(self.seconds)}, {self.statuses}"


@dataclass(frozen=True)
class Honest:
    """A client from 127.0.0.2, with one connection for each request, as the worst of them have."""

    port: int
    token: str
    segment: str

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20, source_address=("127.0.0.2", 0))
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, body, {} if path == "/livez" else headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def upload(self) -> int:
        announced = json.dumps({"filename": "a.mp4", "size_bytes": 1 << 20, "auto_complete": False}).encode()
        status, answer = self.ask("POST", "/api/v1/uploads", announced)
        if status != 201:
            return status
        return self.ask("PUT", f"/api/v1/uploads/{json.loads(answer)['upload_id']}/chunks/0", os.urandom(1 << 20))[0]

    def measured(self, seconds: float) -> Mapping[str, Measured]:
        """All kinds of requests, each in a thread of its own, for so long."""
        until, found = time.monotonic() + seconds, {}

        def repeat(measured: Measured, ask: Callable[[], int], pause: float) -> None:
            while time.monotonic() < until:
                began = time.monotonic()
                try:
                    measured.statuses.add(ask())
                except (OSError, http.client.HTTPException) as error:
                    measured.statuses.add(type(error).__name__)
                measured.seconds.append(time.monotonic() - began)
                time.sleep(pause)

        kinds: Mapping[str, tuple[Callable[[], int], float]] = {
            "probe": (lambda: self.ask("GET", "/livez")[0], 0.03),
            "list": (lambda: self.ask("GET", "/api/v1/assets")[0], 0.1),
            "segment": (lambda: self.ask("GET", self.segment)[0], 0.1),
            "upload": (self.upload, 0.5),
        }
        threads = []
        for name, (ask, pause) in kinds.items():
            found[name] = Measured()
            threads.append(threading.Thread(target=repeat, args=(found[name], ask, pause)))
            threads[-1].start()
        for thread in threads:
            thread.join()
        return found


@contextmanager
def slow_clients(task: Mapping[str, Any]) -> Iterator[Callable[[], dict[str, Any]]]:
    """A program that is all these clients; what is called tells how many connections it holds."""
    command = [sys.executable, "-m", "tests.benchmarks.slow_clients", json.dumps(task)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        lines: list[str] = []

        def read() -> None:
            assert process.stdout is not None
            lines.extend(process.stdout)

        threading.Thread(target=read, daemon=True).start()
        yield lambda: dict(json.loads(lines[-1]))
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)


def resident_mebibytes(server: Server) -> int:
    """Of the web process (the one child of gunicorn's first)."""
    child = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()[0]
    status = Path(f"/proc/{child}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


def published(server: Server, database_url: str) -> Published:
    """An asset with a segment as they are, and a long file."""
    if not database_url:
        asset = publish(server.log.parent / "data", visibility="public")
    else:
        asset = Published(a_published_asset(visibility="public"), server.log.parent / "data")
        database = open_database(database_url)
        database.assets.insert(asset.asset)
        database.close()
    asset.put(SEGMENT, b"x" * 300_000)
    asset.put(BIG, b"x" * 8_000_000)
    return asset


def chunk_paths(honest: Honest) -> list[str]:
    """64 chunks that may be sent."""
    body = {"filename": "a.mp4", "size_bytes": 64 * LONG, "chunk_size_bytes": LONG}
    upload = json.loads(honest.ask("POST", "/api/v1/uploads", json.dumps(body).encode())[1])
    return [f"/api/v1/uploads/{upload['upload_id']}/chunks/{index}" for index in range(64)]


@pytest.mark.parametrize(
    ("front", "database", "kinds", "settings"),
    [
        ("straight", "sqlite", SLOW, {}),
        ("nginx", "sqlite", SLOW, {"trusted_proxies": "1"}),
        ("straight", "sqlite", WAITING, {"web_connections_per_address": "0"}),
        ("straight", "mongo", WAITING, {"web_connections_per_address": "0"}),
        ("straight", "sqlite", FOLLOWING, ANY_NUMBER),
    ],
    ids=["slow, straight", "slow, nginx", "waiting, SQLite", "waiting, MongoDB", "following"],
)
def test_nobody_else_notices(
    tmp_path: Path, front: str, database: str, kinds: dict[str, int], settings: dict[str, str]
) -> None:
    if front == "nginx" and nginx_program() is None:
        pytest.skip("nginx is not installed (apt-get install nginx-light)")
    with ExitStack() as stack:
        url = ""
        if database == "mongo":
            url = f"mongodb://{stack.enter_context(running_nx_server(tmp_path))}/mediaflow"
        server = stack.enter_context(running_server(tmp_path, COMMAND, database_url=url, **settings))
        asset, port = published(server, url), server.port
        if front == "nginx":
            port = stack.enter_context(running_nginx(tmp_path, server.port, tmp_path / "data" / "objects")).port
        honest, slow = (Honest(port, server.token_of(name), asset.path(SEGMENT)) for name in ("ann", "bob"))
        task = {"port": port, "source": "127.0.0.1", "kinds": kinds, "token": slow.token, "followed": honest.token}
        task |= {"chunk_paths": chunk_paths(slow), "stream_path": asset.path(BIG)}
        idle, before = honest.measured(5), resident_mebibytes(server)
        held = stack.enter_context(slow_clients(task))
        time.sleep(SETTLE_SECONDS)
        busy = honest.measured(MEASURED_SECONDS)
        print(f"\n{held()}; {before} MiB, then {resident_mebibytes(server)}")
        for name in idle:
            print(f"{name}: {busy[name]}; without them {idle[name]}")
        assert {name: measured.statuses for name, measured in busy.items()} == {name: {200} for name in busy}
        assert busy["probe"].p99 <= max(PROBE_SECONDS, 4 * idle["probe"].p99)
        assert busy["segment"].p99 <= max(1, 8 * idle["segment"].p99)
        if kinds in (WAITING, FOLLOWING):
            assert held()["open"] | {"bodies": 0} == {**kinds, "bodies": 0}
            assert resident_mebibytes(server) - before < 100
