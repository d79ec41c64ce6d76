"""Fetching keys: one request, one whole answer, within bounds; anything else is `Unavailable`."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from mediaflow.domain.errors import Unavailable
from mediaflow.persistence.http_keys import MAX_BYTES, fetch_keys
from tests.api.issuer import Issuer, Manners, running_issuer


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as running:
        yield running


def test_the_whole_answer_is_fetched_with_the_query_of_the_url(issuer: Issuer) -> None:
    issuer.jwks = [{"kid": "one"}]
    assert json.loads(fetch_keys(f"{issuer.url}?tenant=a")) == {"keys": [{"kid": "one"}]}
    assert issuer.asked == ["/jwks.json?tenant=a"]


def refuses(request: BaseHTTPRequestHandler, document: bytes) -> None:
    request.send_error(500)


def leads_elsewhere(request: BaseHTTPRequestHandler, document: bytes) -> None:
    request.send_response(302)
    request.send_header("Location", "/elsewhere")
    request.send_header("Content-Length", "0")
    request.end_headers()


def is_endless(request: BaseHTTPRequestHandler, document: bytes) -> None:
    request.send_response(200)
    request.end_headers()
    for _ in range(2 * MAX_BYTES // 1024):
        request.wfile.write(b"x" * 1024)
    request.close_connection = True


def hangs_up(request: BaseHTTPRequestHandler, document: bytes) -> None:
    request.connection.shutdown(socket.SHUT_RDWR)


def promises_more(request: BaseHTTPRequestHandler, document: bytes) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "-5")
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    request.wfile.write(b"ffff\r\nshort")
    request.connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("manners", [refuses, leads_elsewhere, is_endless, hangs_up, promises_more])
def test_an_issuer_with_bad_manners_is_unavailable(issuer: Issuer, manners: Manners) -> None:
    issuer.manners = manners
    with pytest.raises(Unavailable) as caught:
        fetch_keys(issuer.url)
    assert caught.value.code == "auth.issuer_away"
    assert issuer.asked == ["/jwks.json"]


def trickles_headers(request: BaseHTTPRequestHandler, document: bytes) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(100):
        request.wfile.write(b"X-Slow: 1\r\n")
        time.sleep(0.1)


def trickles_the_body(request: BaseHTTPRequestHandler, document: bytes) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "100")
    request.end_headers()
    for _ in range(100):
        request.wfile.write(b" ")
        time.sleep(0.1)


@pytest.mark.parametrize("manners", [trickles_headers, trickles_the_body])
def test_an_answer_that_trickles_is_cut_off(issuer: Issuer, manners: Manners) -> None:
    issuer.manners = manners
    began = time.monotonic()
    with pytest.raises(Unavailable):
        fetch_keys(issuer.url, total_seconds=0.5)
    assert time.monotonic() - began < 3


def test_nobody_there_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(Unavailable):
        fetch_keys(f"http://127.0.0.1:{port}/jwks.json")
