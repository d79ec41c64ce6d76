"""The production web server: bodies as they really arrive, clients that stall, errors in the middle of sending."""

from __future__ import annotations

import hashlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.api.server import Server, clean_environ, free_port, gunicorn_command, running_server
from tests.outsiders import install
from tests.programs import ROOT

MIB = 1024 * 1024
THREADS = 4
LONG = 100_000
"""Bytes of a body that is read while it comes; shorter ones are awaited."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("web"), web_threads=str(THREADS), chunks_per_user="1") as started:
        yield started
        assert "Traceback" not in started.log.read_text()


@pytest.fixture
def session(server: Server) -> Iterator[requests.Session]:
    with server.session() as opened:
        yield opened


def announced(server: Server, session: requests.Session, size: int, token: str | None = None) -> dict[str, Any]:
    body = {"filename": "clip.mp4", "size_bytes": size, "chunk_size_bytes": MIB}
    headers = {"Authorization": f"Bearer {token or server.token}"}
    answer = session.post(f"{server.url}/api/v1/uploads", json=body, headers=headers, timeout=20)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def chunk_url(server: Server, upload: dict[str, Any], index: int) -> str:
    return f"{server.url}/api/v1/uploads/{upload['upload_id']}/chunks/{index}"


def put_long(server: Server, upload: dict[str, Any], token: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.put(chunk_url(server, upload, 0), data=b"x" * LONG, headers=headers, timeout=20)


def request_head(server: Server, upload: dict[str, Any], *more: str, index: int = 0, token: str | None = None) -> bytes:
    lines = (
        f"PUT /api/v1/uploads/{upload['upload_id']}/chunks/{index} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {token or server.token}",
        *more,
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answer_of(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """Status and JSON body of the next answer on a bare connection."""
    with connection.makefile("rb") as file:
        status = int(file.readline().split()[1])
        length = 0
        while line := file.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return status, json.loads(file.read(length))


def test_a_file_goes_in_over_one_connection(server: Server, session: requests.Session) -> None:
    data = bytes(range(256)) * 4096 * 2 + b"end"
    upload = announced(server, session, len(data))
    for index in reversed(range(upload["chunk_count"])):
        part = data[index * MIB : (index + 1) * MIB]
        answer = session.put(chunk_url(server, upload, index), data=part, timeout=20)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Connection"] == "keep-alive"
    status = session.get(upload["links"]["self"], timeout=20).json()
    assert (status["state"], status["missing"]) == ("assembling", [])


def test_a_chunked_body_without_a_length_goes_in_too(server: Server, session: requests.Session) -> None:
    data = hashlib.sha256(b"x").digest() * 100
    upload = announced(server, session, len(data))
    answer = session.put(chunk_url(server, upload, 0), data=iter([data[:7], data[7:]]), timeout=20)
    assert answer.status_code == 200, answer.text
    assert answer.json()["received_bytes"] == len(data)


@pytest.mark.parametrize(
    ("body", "length"), [(b"x" * 999, None), (b"x" * 1001, None), (b"x" * 5 * MIB, None), (b"x" * 9 * MIB, 9 * MIB)]
)
def test_a_wrong_length_is_told_even_while_the_client_still_sends(
    server: Server, session: requests.Session, body: bytes, length: int | None
) -> None:
    upload = announced(server, session, 1000)
    data: Any = body if length else iter([body[start : start + 65_536] for start in range(0, len(body), 65_536)])
    answer = session.put(chunk_url(server, upload, 0), data=data, timeout=20)
    assert (answer.status_code, answer.json()["code"]) == (422, "upload.chunk_length")
    assert session.get(upload["links"]["self"], timeout=20).json()["missing"] == [[0, 0]]
    answer = session.put(chunk_url(server, upload, 0), data=b"x" * 1000, timeout=20)
    assert answer.status_code == 200


def test_a_refused_body_does_not_become_the_next_request(server: Server, session: requests.Session) -> None:
    upload = announced(server, session, 1000)
    smuggled = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".ljust(50_000, b"x")
    with server.connection() as connection:
        connection.sendall(request_head(server, upload, f"Content-Length: {len(smuggled)}", token="x.y.z") + smuggled)
        assert answer_of(connection)[0] == 401
        connection.sendall(request_head(server, upload, "Content-Length: 1000") + b"x" * 1000)
        assert answer_of(connection)[0] == 200


def test_who_waits_for_the_answer_before_sending_gets_it(server: Server, session: requests.Session) -> None:
    upload = announced(server, session, 1000)
    with server.connection() as connection:
        began = time.monotonic()
        connection.sendall(request_head(server, upload, f"Content-Length: {5 * MIB}", token="x.y.z"))
        assert answer_of(connection)[0] == 401
        assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/api/v1/uploads", 400),
        ("PUT", "/api/v1/uploads/{upload_id}/chunks/0", 400),
        ("POST", "/nothing", 404),
        ("GET", "/livez", 200),
    ],
)
def test_a_malformed_chunked_body_is_the_clients_fault(
    server: Server, session: requests.Session, method: str, path: str, status: int
) -> None:
    upload = announced(server, session, 1000)
    lines = (
        f"{method} {path.format(**upload)} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {server.token}",
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
    )
    with server.connection() as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\nzz\r\nxxxx\r\n0\r\n\r\n").encode())
        assert answer_of(connection)[0] == status
        assert connection.recv(1000) == b""  # nobody knows where a next request would begin
    assert session.put(chunk_url(server, upload, 0), data=b"x" * 1000, timeout=20).status_code == 200


def test_a_client_that_goes_away_leaves_its_chunk_free(server: Server, session: requests.Session) -> None:
    upload = announced(server, session, 1000)
    with server.connection() as connection:
        connection.sendall(request_head(server, upload, "Content-Length: 1000") + b"x" * 500)
        time.sleep(0.3)
    deadline = time.monotonic() + 5
    while True:
        answer = session.put(chunk_url(server, upload, 0), data=b"y" * 1000, timeout=20)
        if answer.status_code != 409 or time.monotonic() > deadline:
            break
        assert answer.json()["code"] == "upload.chunk_busy"
        time.sleep(0.1)
    assert answer.status_code == 200, answer.text


def test_stalled_bodies_leave_threads_for_everybody_else(server: Server, session: requests.Session) -> None:
    # given places for three long bodies, of which a user may have one
    ann, bob, eve = (server.token_of(name) for name in ("ann", "bob", "eve"))
    with ExitStack() as stack:
        for token in (ann, bob, eve):
            upload = announced(server, session, LONG, token=token)
            connection = stack.enter_context(server.connection())
            connection.sendall(request_head(server, upload, f"Content-Length: {LONG}", token=token) + b"x")
        time.sleep(0.5)
        began = time.monotonic()
        for _ in range(5):
            assert requests.get(f"{server.url}/livez", timeout=5).status_code == 200
        for token, status in ((ann, 429), (server.token_of("joe"), 503)):
            upload = announced(server, session, LONG, token=token)
            answer = put_long(server, upload, token)
            assert (answer.status_code, answer.json()["code"]) == (status, "limit.concurrent_uploads")
            assert answer.headers["Retry-After"] == "1"
        assert time.monotonic() - began < 5
    time.sleep(0.5)
    assert put_long(server, upload, token).status_code == 200


def test_a_connection_that_stalls_is_given_up(tmp_path: Path) -> None:
    impatient = "\n".join(
        (
            "from mediaflow import serving",
            "from mediaflow.serving import wire",
            "wire.WINDOW_SECONDS = 1",
            "raise SystemExit(serving.run(serving.settings_or_exit()))",
        )
    )
    command = [sys.executable, "-c", impatient]
    with running_server(tmp_path, command, request_seconds="1") as server, server.session() as session:
        upload, long = announced(server, session, 1000), announced(server, session, LONG)
        with server.connection() as silent, server.connection() as halfway, server.connection() as slow:
            silent.sendall(b"GET /livez HTTP/1.1\r\nHost:")
            halfway.sendall(request_head(server, upload, "Content-Length: 1000") + b"x" * 500)
            slow.sendall(request_head(server, long, f"Content-Length: {LONG}") + b"x" * 500)
            began = time.monotonic()
            for connection in (silent, halfway, slow):
                status, problem = answer_of(connection)
                assert (status, problem["code"]) == (408, "request.timeout")
                assert connection.recv(1000) == b""
            assert time.monotonic() - began < 10
        assert session.put(chunk_url(server, upload, 0), data=b"x" * 1000, timeout=20).status_code == 200
        assert put_long(server, long, server.token).status_code == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(15) == 0
    assert "Traceback" not in server.log.read_text()


def test_secrets_stay_out_of_the_log(server: Server) -> None:
    with server.session() as session:
        session.get(f"{server.url}/stream/streamtoken-in-the-path/{'0' * 32}/g1/x.m4s", timeout=20)
        session.get(f"{server.url}/login/one-time-code-in-the-path", timeout=20)
        session.get(f"{server.url}/api/v1/assets?page=1", timeout=20)
    log = server.log.read_text()
    assert '"route": "/stream/' in log
    for secret in ("streamtoken-in-the-path", "one-time-code-in-the-path", server.token.rpartition(".")[2]):
        assert secret not in log


# --- the process


def test_it_stops_in_order_and_serves_its_own_metrics_until_then(tmp_path: Path) -> None:
    metrics_port = free_port()
    with running_server(tmp_path, metrics_bind=f"127.0.0.1:{metrics_port}", web_processes="2") as server:
        with server.session() as session:
            for _ in range(20):
                session.get(f"{server.url}/api/v1/profiles", timeout=20)
            assert session.get(f"{server.url}/metrics", timeout=20).status_code == 404
        text = requests.get(f"http://127.0.0.1:{metrics_port}/metrics", timeout=20).text
        line = next(line for line in text.splitlines() if 'route="/api/v1/profiles"' in line and "_total" in line)
        assert line.endswith(" 20.0"), line
        assert "\nmediaflow_queue_paused 0.0\n" in text
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(15) == 0
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"jwt_key": "short"}, "MEDIAFLOW_JWT_KEY"),
        ({"prot": "1"}, "MEDIAFLOW_PORT"),
        ({"redis_url": ""}, "MEDIAFLOW_REDIS_URL"),
        pytest.param({"public_url": "media.example"}, "MEDIAFLOW_PUBLIC_URL", marks=pytest.mark.slow),
        pytest.param({"api_origins": "media.example"}, "MEDIAFLOW_API_ORIGINS", marks=pytest.mark.slow),
    ],
)
def test_what_is_configured_wrongly_is_said_in_one_sentence(
    tmp_path: Path, settings: dict[str, str], sentence: str
) -> None:
    environ = clean_environ(
        **({"data_dir": str(tmp_path), "port": str(free_port()), "redis_url": "redis://127.0.0.1:1/0"} | settings),
        metrics_bind="off",
    )
    ended = subprocess.run(gunicorn_command(), env=environ, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode != 0
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "command", [gunicorn_command(), [sys.executable, "-m", "mediaflow", "serve"]], ids=["wsgi", "serve"]
)
def test_a_plugin_whose_blueprints_fail_stops_the_start(tmp_path: Path, command: list[str]) -> None:
    source = "from mediaflow.plugin import *\n@hookimpl\ndef mediaflow_register_blueprints(): raise SystemExit(1)\n"
    environ = clean_environ(
        data_dir=str(tmp_path), port=str(free_port()), redis_url="redis://127.0.0.1:1/0", metrics_bind="off"
    )
    environ["PYTHONPATH"] = str(install(tmp_path / "modules", "harm", source))

    ended = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert ended.returncode != 0
    assert not [line for line in ended.stderr.splitlines() if not line.startswith(("{", "mediaflow: "))]
    said = [line for line in ended.stderr.splitlines() if line.startswith("mediaflow: ")]
    assert said == [
        "mediaflow: the plugin 'harm' of dist-harm 1.0 failed in mediaflow_register_blueprints:"
        " WouldEndProcess: SystemExit(1)"
    ]
