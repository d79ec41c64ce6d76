"""Slow clients, ten to a thread: they are cut when it is their fault, and nobody else notices them."""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import pytest
import requests

from tests.api.server import Server, running_server
from tests.integration.published import publish

THREADS = 4
CONNECTIONS = 120
PER_ADDRESS = 50
REQUEST_SECONDS = 1
MANY = 40
ADDRESSES = itertools.count(10)
"""Of which each is used by one test, since the server sees the end of a connection a moment later."""
HOST = b"Host: 127.0.0.1\r\n"
BIG = "g1/video-0.1/360p/big.m4s"
IMPATIENT = "\n".join(
    (
        "import sys",
        "from gunicorn.app.wsgiapp import run",
        "from mediaflow.serving import limits",
        "limits.STALL_SECONDS = 1.0",
        "sys.argv = ['gunicorn', '-c', 'gunicorn.conf.py', 'tests.api.pausing:app']",
        "run()",
    )
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {
        "web_threads": str(THREADS),
        "web_connections": str(CONNECTIONS),
        "web_connections_per_address": str(PER_ADDRESS),
        "request_seconds": str(REQUEST_SECONDS),
    }
    command = ["sh", "-c", 'ulimit -Sn 200; exec "$0" -c "$1"', sys.executable, IMPATIENT]
    with running_server(tmp_path_factory.mktemp("web"), command, **settings) as started:
        yield started
        stops_at_once_while_many_are_slow(started)
        assert started.log.read_text().count("Traceback") == 1  # of the view that wanted to end the process


def stops_at_once_while_many_are_slow(server: Server) -> None:
    with ExitStack() as stack:
        for words in (b"", b"GET / HTTP/1.1\r\nX:", b"GET /tests/events?20 HTTP/1.1\r\n" + HOST + b"\r\n"):
            stack.enter_context(many(server, words, 10))
        parked = stack.enter_context(many(server, b"GET /tests/parked?40 HTTP/1.1\r\n" + HOST + b"\r\n", 10))
        time.sleep(0.5)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        for connection in parked:
            status, headers, _ = answer(connection)
            assert (status, headers["retry-after"]) == (503, "5")
        assert server.process.wait(15) == 0
        assert time.monotonic() - began < 8


@pytest.fixture(scope="module")
def stream(server: Server) -> str:
    published = publish(server.log.parent / "data", visibility="public")
    published.put(BIG, b"x" * 8_000_000)
    return published.path(BIG)


def connected(server: Server, number: int = 1, receive_bytes: int | None = None) -> socket.socket:
    """A connection from 127.0.0.<number>."""
    connection = socket.socket()
    if receive_bytes is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    try:
        connection.bind((f"127.0.0.{number}", 0))
        connection.settimeout(20)
        connection.connect(("127.0.0.1", server.port))
    except OSError:
        connection.close()
        raise
    return connection


@contextmanager
def many(
    server: Server, words: bytes, count: int = MANY, receive_bytes: int | None = None
) -> Iterator[list[socket.socket]]:
    """So many connections of one address, that had none, that have said this."""
    with ExitStack() as stack:
        connections, address = [], next(ADDRESSES)
        for _ in range(count):
            connection = stack.enter_context(connected(server, address, receive_bytes))
            connection.sendall(words)
            connections.append(connection)
        yield connections


def everybody_else_is_served(server: Server) -> None:
    """From another address: a probe, a list, an upload, each within a moment."""
    began = time.monotonic()
    headers = f"Authorization: Bearer {server.token_of('bob')}\r\n".encode() + HOST
    announced = b'{"filename": "a.mp4", "size_bytes": 10}'
    with connected(server, 2) as connection:
        for words, status in (
            (b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n", b"200"),
            (b"GET /readyz HTTP/1.1\r\n" + HOST + b"\r\n", b"200"),
            (b"GET /api/v1/assets HTTP/1.1\r\n" + headers + b"\r\n", b"200"),
            (
                b"POST /api/v1/uploads HTTP/1.1\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s"
                % (headers, len(announced), announced),
                b"201",
            ),
        ):
            connection.sendall(words)
            assert answer(connection)[0] == int(status)
    assert time.monotonic() - began < 5


def received(connection: socket.socket) -> bytes:
    """All that comes until the end, or until it is cut."""
    blocks = []
    with contextlib.suppress(ConnectionResetError):
        while block := connection.recv(1 << 20):
            blocks.append(block)
    return b"".join(blocks)


def ended(connection: socket.socket) -> bool:
    connection.settimeout(0)
    try:
        return not connection.recv(1)
    except BlockingIOError:
        return False


def address_of(connections: list[socket.socket]) -> int:
    """The last number of their address."""
    host: str = connections[-1].getsockname()[0]
    return int(host.rpartition(".")[2])


def answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    with connection.makefile("rb") as file:
        return next_answer(file)


def next_answer(file: IO[bytes]) -> tuple[int, dict[str, str], bytes]:
    status = int(file.readline().split()[1])
    headers = {}
    while line := file.readline().strip():
        name, _, value = line.decode().partition(": ")
        headers[name.lower()] = value
    return status, headers, file.read(int(headers.get("content-length", 0)))


def test_slow_requests_stop_nobody_and_get_their_answer_when_their_time_is_over(server: Server) -> None:
    start = b"POST /api/v1/session HTTP/1.1\r\n" + HOST
    head = start + b"X-Slow: "
    body = start + b'Content-Type: application/json\r\nContent-Length: 900\r\n\r\n{"'
    chunks = start + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
    with many(server, head, 25) as heads, many(server, body, 25) as bodies, many(server, chunks, 25) as chunked:
        everybody_else_is_served(server)
        for connection in (*heads, *bodies, *chunked):  # a byte now and then does not prolong it
            connection.sendall(b"x")
        for connection in (*heads, *bodies, *chunked):
            status, headers, problem = answer(connection)
            assert (status, json.loads(problem)["code"], headers["connection"]) == (408, "request.timeout", "close")
            assert connection.recv(1) == b""


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (b"POST /api/v1/session HTTP/1.1\r\n%sContent-Length: 900000\r\n\r\n{", 413),
        (b"POST /api/v1/session HTTP/1.1\r\n%sTransfer-Encoding: chunked\r\n\r\n11170\r\n" + b" " * 70_000, 413),
        (b"POST /api/v1/uploads HTTP/1.1\r\n%sContent-Length: 900000\r\n\r\n{", 401),
        (b"PUT /api/v1/uploads/%s/chunks/0 HTTP/1.1\r\n%%sContent-Length: 9000000\r\n\r\nx" % (b"0" * 32), 401),
    ],
)
def test_no_stranger_has_a_long_body_awaited(server: Server, words: bytes, status: int) -> None:
    headers = HOST + b"Content-Type: application/json\r\n"
    with many(server, words % headers) as connections:
        began = time.monotonic()
        assert {answer(connection)[0] for connection in connections} == {status}
        assert time.monotonic() - began < 5
        everybody_else_is_served(server)


def test_who_reads_nothing_stops_nobody_and_is_cut(server: Server, stream: str) -> None:
    with many(server, f"GET {stream} HTTP/1.1\r\n".encode() + HOST + b"\r\n", receive_bytes=4096) as connections:
        everybody_else_is_served(server)
        assert len(requests.get(server.url + stream, timeout=20).content) == 8_000_000
        time.sleep(3)  # a reader may stand still for a second here
        assert all(len(received(connection)) < 8_000_000 for connection in connections[:3])


def test_who_reads_steadily_gets_everything(server: Server, stream: str) -> None:
    with connected(server, receive_bytes=65536) as connection:
        connection.sendall(f"GET {stream} HTTP/1.1\r\n".encode() + HOST + b"Connection: close\r\n\r\n")
        began, arrived = time.monotonic(), 0
        while block := connection.recv(200_000):
            arrived += len(block)
            time.sleep(0.02)
    assert arrived > 8_000_000
    assert time.monotonic() - began > 0.5


def test_an_address_has_its_share_of_the_connections(server: Server) -> None:
    with many(server, b"", PER_ADDRESS) as connections, connected(server, address_of(connections)) as one_more:
        status, headers, body = answer(one_more)
        assert (status, json.loads(body)["code"]) == (429, "limit.connections")
        assert int(headers["retry-after"]) > 0
        connections[0].close()
        time.sleep(0.5)
        with connected(server, address_of(connections[1:])) as in_its_place:
            in_its_place.sendall(b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n")
            assert answer(in_its_place)[0] == 200
        everybody_else_is_served(server)


def test_when_all_connections_are_taken_idle_ones_give_way(server: Server) -> None:
    first, second, third = (next(ADDRESSES) for _ in range(3))
    connections: list[socket.socket] = []
    with ExitStack() as stack:
        for number in range(CONNECTIONS + 20):
            address = (first, second, third)[number // PER_ADDRESS]
            connections.append(stack.enter_context(connected(server, address)))
        time.sleep(0.3)
        assert sum(ended(connection) for connection in connections) >= 20
        everybody_else_is_served(server)


def test_probes_are_answered_while_every_thread_is_busy(server: Server) -> None:
    # given two seconds of work for each thread
    with many(server, b"GET /tests/busy HTTP/1.1\r\n" + HOST + b"\r\n", 2 * THREADS):
        time.sleep(0.2)
        began = time.monotonic()
        for path in ("/livez", "/readyz"):
            with connected(server, 2) as connection:
                connection.settimeout(5)
                connection.sendall(f"GET {path} HTTP/1.1\r\n".encode() + HOST + b"\r\n")
                assert answer(connection)[0] == 200
        assert time.monotonic() - began < 1.5


def test_a_client_that_asks_before_it_sends_is_told_to_go_on(server: Server) -> None:
    body = b'{"token": "x"}'
    lines = b"POST /nothing HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\nExpect: 100-continue\r\n"
    with connected(server, 2) as connection:
        connection.sendall(lines + b"Content-Length: %d\r\n\r\n" % len(body))
        assert answer(connection)[0] == 100
        connection.sendall(body)
        assert answer(connection)[0] == 404


def test_requests_that_come_together_are_answered_in_order(server: Server) -> None:
    first = b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n"
    second = b"POST /nothing HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc"
    with connected(server) as connection:
        connection.sendall(first + second + first + first[:10])
        with connection.makefile("rb") as file:  # one for all: it reads ahead
            statuses = [next_answer(file)[0] for _ in range(3)]
            connection.sendall(first[10:])
            assert [*statuses, next_answer(file)[0]] == [200, 404, 200, 200]


def test_an_answer_that_waits_holds_no_thread(server: Server) -> None:
    with many(server, b"GET /tests/parked?1 HTTP/1.1\r\n" + HOST + b"\r\n") as connections:
        began = time.monotonic()
        everybody_else_is_served(server)
        for connection in connections:
            assert answer(connection)[::2] == (200, b"here")
        assert time.monotonic() - began < 6  # one after the other on four threads: 10 s


def test_streams_of_events_are_woken_and_given_back(server: Server) -> None:
    def until(done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not done():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def open_and_waiting() -> str:
        return requests.get(f"{server.url}/tests/wake", timeout=10).text

    with many(server, b"GET /tests/events?20 HTTP/1.0\r\n" + HOST + b"\r\n") as connections:
        files = [connection.makefile("rb") for connection in connections]
        for file in files:
            head_and_first_event = [file.readline() for _ in range(7)]
            assert head_and_first_event[-1] == b"hello\n"
        until(lambda: open_and_waiting() == f"{MANY} {MANY}")
        for file in files:
            assert file.readline() == b"event\n"
            file.close()
    until(lambda: open_and_waiting() == "0 0")


def test_a_view_that_wants_to_end_the_process_ends_its_connection(server: Server) -> None:
    with connected(server, 2) as connection:
        connection.sendall(b"GET /tests/exit HTTP/1.1\r\n" + HOST + b"\r\n")
        assert connection.recv(1) == b""
        everybody_else_is_served(server)


def test_the_limit_of_open_files_is_raised_at_the_start(server: Server) -> None:
    soft, hard = next(
        line.split()[3:5]
        for line in Path(f"/proc/{server.process.pid}/limits").read_text().splitlines()
        if line.startswith("Max open files")
    )
    assert soft == hard


def test_who_resets_the_connection_ends_nobody_elses(server: Server) -> None:
    """Seen: one that did so while it was told to go on ended the process, and with it everybody's connections."""
    ended = server.log.read_text().count("exited with code")
    heads = [
        b"POST /api/v1/session HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n",
        b"POST /api/v1/session HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
        b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /tests/parked?1 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01",
    ]
    with connected(server) as kept:
        for head in heads * 6:
            with connected(server) as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.sendall(head)
        everybody_else_is_served(server)
        kept.sendall(heads[2])
        assert answer(kept)[0] == 200
    assert server.log.read_text().count("exited with code") == ended
