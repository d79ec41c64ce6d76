"""deploy/nginx.conf in front of a real service: it plays, sends files itself, and lets nobody else at them."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.api.server import Server, running_server
from tests.api.site import FILES, MASTER
from tests.integration.nginx import Nginx, nginx_program, running_nginx
from tests.integration.published import Published, publish

pytestmark = pytest.mark.skipif(nginx_program() is None, reason="nginx is not installed (apt-get install nginx-light)")

SEGMENT = "g1/video-0.1/360p/00000.m4s"
BODY = FILES[SEGMENT]


@dataclass(frozen=True)
class House:
    """A service that leaves files to nginx, and nginx before it."""

    server: Server
    nginx: Nginx
    published: Published

    def get(self, name: str, **headers: str) -> requests.Response:
        return requests.get(f"{self.nginx.url}{self.published.path(name)}", headers=headers, timeout=20)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("nginx")
    with running_server(directory, stream_accel_prefix="/internal-objects/", trusted_proxies="1") as server:
        published = publish(directory / "data", visibility="public")
        with running_nginx(directory, server.port, directory / "data" / "objects") as nginx:
            yield House(server, nginx, published)


def test_nginx_sends_the_file_with_our_headers(house: House) -> None:
    answer = house.get(SEGMENT)
    assert (answer.status_code, answer.content) == (200, BODY)
    expected = {
        "Content-Type": "video/mp4",
        "Content-Length": str(len(BODY)),
        "Cache-Control": "public, max-age=60, s-maxage=60",
        "Accept-Ranges": "bytes",
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "X-Content-Type-Options": "nosniff",
        "Server": "nginx",
    }
    assert {name: answer.headers.get(name) for name in expected} == expected
    assert "X-Accel-Redirect" not in answer.headers
    assert house.get(MASTER).headers["Content-Type"] == "application/vnd.apple.mpegurl"
    assert house.get("g1/thumbnail.1/thumbnail.jpg").headers["Content-Type"] == "image/jpeg"


def test_the_service_itself_sent_nothing(house: House) -> None:
    direct = requests.get(f"{house.server.url}{house.published.path(SEGMENT)}", timeout=20)
    assert (direct.status_code, direct.content) == (200, b"")
    assert direct.headers["ETag"] == house.get(SEGMENT).headers["ETag"]


def test_events_go_through_as_they_happen(house: House) -> None:
    headers = {"Authorization": f"Bearer {house.server.token}", "Content-Type": "application/json"}
    address = f"{house.nginx.url}/api/v1/assets/{house.published.asset.id}"
    with requests.get(f"{address}/events", headers=headers, stream=True, timeout=8) as stream:
        lines = stream.iter_lines()
        assert b"event: asset.progress" in lines  # up to the first of them
        requests.patch(address, headers=headers, json={"title": "Another"}, timeout=20).raise_for_status()
        assert b"event: asset.updated" in lines


@pytest.mark.parametrize(("wanted", "first", "last"), [("0-9", 0, 9), ("100-", 100, len(BODY) - 1), ("-5", -5, None)])
def test_ranges_are_right(house: House, wanted: str, first: int, last: int | None) -> None:
    answer = house.get(SEGMENT, Range=f"bytes={wanted}")
    expected = BODY[first:] if last is None else BODY[first : last + 1]
    assert (answer.status_code, answer.content) == (206, expected)
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_range_behind_the_end_is_refused(house: House) -> None:
    answer = house.get(SEGMENT, Range=f"bytes={len(BODY)}-")
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{len(BODY)}")


def test_what_the_client_has_is_not_sent_again(house: House) -> None:
    etag = house.get(SEGMENT).headers["ETag"]
    again = house.get(SEGMENT, **{"If-None-Match": etag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    part = {"Range": "bytes=0-9"}
    assert house.get(SEGMENT, **part, **{"If-Range": etag}).status_code == 206
    assert house.get(SEGMENT, **part, **{"If-Range": '"other"'}).status_code == 200


def test_head_tells_the_same_without_the_body(house: House) -> None:
    head = requests.head(f"{house.nginx.url}{house.published.path(SEGMENT)}", timeout=20)
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, str(len(BODY)), b"")
    assert head.headers["Content-Type"] == "video/mp4"


def test_odd_names_are_found(house: House) -> None:
    house.published.put("g1/odd.1/a%2e@b=c+d.m4s", b"odd")
    assert house.get("g1/odd.1/a%252e@b=c+d.m4s").content == b"odd"


def test_nobody_gets_in_without_us(house: House) -> None:
    key = f"assets/{house.published.asset.id}/{SEGMENT}"
    for path in (f"/internal-objects/{key}", f"/internal-objects/../internal-objects/{key}", "/internal-objects/"):
        assert requests.get(house.nginx.url + path, timeout=20).status_code == 404
    wrong = house.published.path(SEGMENT).replace("/stream/", "/stream/1-")
    answer = requests.get(house.nginx.url + wrong, timeout=20)
    assert (answer.status_code, answer.json()["code"]) == (404, "asset.no_stream")
    assert house.get("g1/..%2f..%2f..%2f..%2fmediaflow.db").status_code == 404
    assert house.get("g1/missing.1/0.m4s").json()["code"] == "asset.no_stream"


def test_an_upload_goes_through(house: House) -> None:
    headers = {"Authorization": f"Bearer {house.server.token}"}
    content = os.urandom(3_000_000)
    announced = requests.post(
        f"{house.nginx.url}/api/v1/uploads",
        json={"filename": "clip.mp4", "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()},
        headers=headers,
        timeout=20,
    )
    assert announced.status_code == 201, announced.text
    upload = announced.json()
    assert upload["links"]["self"].startswith(f"{house.nginx.url}/api/v1/uploads/")
    sent = requests.put(f"{upload['links']['self']}/chunks/0", data=content, headers=headers, timeout=60)
    assert (sent.status_code, sent.json()["received_bytes"]) == (200, len(content))


def test_an_address_has_its_share_and_the_next_request_is_told_so(house: House) -> None:
    # given as many requests of one address as it may have, none of which ever ends
    waiting = (
        b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    )

    def connected(address: str) -> socket.socket:
        return socket.create_connection(("127.0.0.1", house.nginx.port), timeout=20, source_address=(address, 0))

    def answer_to(words: bytes, address: str) -> tuple[bytes, bytes]:
        with connected(address) as connection:
            connection.sendall(words + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            head, _, body = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")
            return head, body

    with ExitStack() as stack:
        for _ in range(128):
            stack.enter_context(connected("127.0.0.9")).sendall(waiting)
        time.sleep(0.3)
        head, body = answer_to(b"GET /api/v1/plugins", "127.0.0.9")
        assert head.startswith(b"HTTP/1.1 429")
        assert b"\r\nContent-Type: application/problem+json\r\n" in head
        assert b"\r\nRetry-After: 5" in head
        assert json.loads(body)["code"] == "limit.connections"
        assert answer_to(b"GET /livez", "127.0.0.9")[0].startswith(b"HTTP/1.1 200")
        assert answer_to(b"GET /api/v1/plugins", "127.0.0.10")[0].startswith(b"HTTP/1.1 401")


def test_no_log_of_nginx_opens_anything(house: House, tmp_path: Path) -> None:
    token = house.published.path(SEGMENT).split("/")[2]
    house.get(SEGMENT)
    requests.get(f"{house.nginx.url}/login/a-secret-code-of-some-length", timeout=20)
    requests.get(f"{house.nginx.url}/stream/{token}", timeout=20)
    log = house.nginx.logs / "access.log"
    deadline = time.monotonic() + 5
    while f"/stream/-/{house.published.asset.id}/{SEGMENT}" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert token not in log.read_text()
    assert "a-secret-code" not in log.read_text()
