"""What gunicorn itself refuses comes as a problem document; what it serves has our headers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
import requests

from tests.api.server import Server, running_server

HOST = b"Host: 127.0.0.1\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("web"), web_threads="4") as started:
        yield started
        assert "Traceback" not in started.log.read_text()


def exchange(server: Server, data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Everything that the server sends until it closes: status, headers by lower-case name, body."""
    with server.connection() as connection:
        connection.sendall(data)
        answer = b""
        while block := connection.recv(65536):
            answer += block
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(first.split()[1]), headers, body


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "request.malformed"),
        (b"GET / HTTP/9.9\r\n" + HOST + b"\r\n", 400, "request.malformed"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"bad header\r\n\r\n", 400, "request.malformed"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n folded\r\n\r\n", 400, "request.malformed"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n", 400, "request.malformed"),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414, "request.uri_too_long"),
        (
            b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"X-%d: a\r\n" % n for n in range(200)) + b"\r\n",
            431,
            "request.headers_too_large",
        ),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 20_000 + b"\r\n\r\n", 431, "request.headers_too_large"),
        (
            b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: brew\r\n\r\n",
            501,
            "request.transfer_coding",
        ),
    ],
)
def test_what_can_not_be_read_is_refused_with_a_problem_document(
    server: Server, request_bytes: bytes, status: int, code: str
) -> None:
    answered, headers, body = exchange(server, request_bytes)
    document = json.loads(body)
    assert (answered, document["status"], document["code"]) == (status, status, code), body
    assert headers["content-type"] == "application/problem+json"
    assert int(headers["content-length"]) == len(body)
    assert headers["connection"] == "close"
    assert headers["x-request-id"] == document["request_id"]
    assert {"type", "title", "detail", "errors"} <= document.keys()
    assert document["request_id"] in server.log.read_text()


def test_a_host_twice_is_none(server: Server) -> None:
    status, _, body = exchange(
        server, b"GET /api/v1/assets HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n"
    )
    assert (status, json.loads(body)["code"]) in ((400, "request.host"), (400, "request.malformed"))


@pytest.mark.parametrize("name", ["X-Forwarded-Proto", "X-Forwarded-Protocol", "X-Forwarded-Ssl"])
def test_nobody_is_believed_who_is_not_trusted_not_even_on_this_host(server: Server, name: str) -> None:
    forged = {name: {"X-Forwarded-Ssl": "on", "X-Forwarded-Protocol": "ssl"}.get(name, "https")}
    others = {"X-Forwarded-Host": "evil.example", "X-Forwarded-For": "203.0.113.9", "SCRIPT_NAME": "/evil"}
    body = {"filename": "clip.mp4", "size_bytes": 10}
    with server.session() as session:
        answer = session.post(f"{server.url}/api/v1/uploads", json=body, headers=forged | others, timeout=20)
    assert answer.status_code == 201, answer.text
    assert answer.json()["links"]["self"].startswith(f"{server.url}/api/v1/uploads/")


def test_an_old_request_without_a_host_is_served(server: Server) -> None:
    status, _, _ = exchange(server, b"GET /livez HTTP/1.0\r\n\r\n")
    assert status == 200


def test_the_server_shares_limits_between_its_processes_by_its_queue(server: Server) -> None:
    with server.session() as session:
        left = []
        for _ in range(3):
            answer = session.get(f"{server.url}/api/v1/assets", timeout=20)
            match = re.fullmatch(r'"user";r=(\d+);t=\d+', answer.headers["RateLimit"])
            assert match is not None
            left.append(int(match[1]))
    assert left == sorted(left, reverse=True) or max(left) == 29_999  # a new minute may have begun


def test_the_health_report_has_the_queue_too(server: Server) -> None:
    headers = {"Authorization": f"Bearer {server.admin_token}"}
    document = requests.get(f"{server.url}/api/v1/health", headers=headers, timeout=20).json()
    assert {entry["name"]: entry["state"] for entry in document["dependencies"]} == {
        "database": "ok",
        "storage": "ok",
        "queue": "ok",
    }
