"""Many clients that take their time, from one address: a program of its own, and what it costs others, measured.

`python -m tests.benchmarks.slow_clients '{"port": 8080, "source": "127.0.0.1", "kinds": {"headers": 250, ...}}'` holds
that many connections open until its standard input ends, and opens those again that are closed on it. Each sends (or
reads) a byte every few seconds.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import select
import socket
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

PAUSE_SECONDS: Final = 5.0
LONG: Final = 4 * 1024 * 1024


def _headers(_: Mapping[str, Any], __: int) -> bytes:
    return b"POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "


def _bodies(_: Mapping[str, Any], __: int) -> bytes:
    head = "POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return head.encode() + b"Content-Length: 5000\r\n\r\n{"


def _chunks(task: Mapping[str, Any], number: int) -> bytes:
    path = task["chunk_paths"][number % len(task["chunk_paths"])]
    lines = (f"PUT {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {task['token']}")
    return "\r\n".join((*lines, f"Content-Length: {LONG}", "", "x")).encode()


def _get(path: str, token: str = "") -> bytes:
    credential = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{credential}\r\n".encode()


FIRST_WORDS: Final[Mapping[str, Callable[[Mapping[str, Any], int], bytes]]] = {
    "headers": _headers,
    "bodies": _bodies,
    "chunks": _chunks,
    "readers": lambda task, _: _get(task["stream_path"]),
    "parked": lambda _, __: _get("/tests/parked?10"),
    "events": lambda _, __: _get("/tests/events?5"),
    "streams": lambda task, _: _get("/api/v1/events", task["followed"]),
}
SENDING: Final = ("headers", "bodies", "chunks")
READING_ALL: Final = ("parked", "events", "streams")


class Client:
    """One connection, opened again when it is closed."""

    def __init__(self, task: Mapping[str, Any], kind: str, number: int) -> None:
        self._task, self._kind, self._number = task, kind, number
        self.socket: socket.socket | None = None
        self.opened = 0
        self.due = time.monotonic() + random.random()

    def go_on(self) -> None:
        """Open the connection, or send (read) a little."""
        self.due = time.monotonic() + PAUSE_SECONDS * (0.5 + random.random())
        try:
            if self.socket is None:
                self._open()
            elif self._kind in SENDING:
                self.socket.send(b"x")
            elif self._kind not in READING_ALL and not self.socket.recv(1):
                self.close()
        except BlockingIOError:
            pass
        except OSError:
            self.close()

    def _open(self) -> None:
        small = socket.socket()
        if self._kind == "readers":
            small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket = small
        small.bind((self._task["source"], 0))
        small.settimeout(5)
        small.connect(("127.0.0.1", self._task["port"]))
        small.send(FIRST_WORDS[self._kind](self._task, self._number))
        small.setblocking(False)
        self.opened += 1

    def readable(self) -> None:
        """An answer, or the end."""
        try:
            if self.socket is not None and not self.socket.recv(65536):
                self.close()
        except BlockingIOError:
            pass
        except OSError:
            self.close()

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
        self.socket = None


def hold(task: Mapping[str, Any]) -> None:
    """Be all these clients until standard input ends; then one line on standard output: how often each kind opened."""
    numbers = itertools.count()
    clients = [Client(task, kind, next(numbers)) for kind, count in task["kinds"].items() for _ in range(count)]
    told = time.monotonic()
    while not select.select([sys.stdin], [], [], 0)[0]:
        now = time.monotonic()
        for client in clients:
            if client.due <= now:
                client.go_on()
        poll, by_number = select.poll(), {}
        for client in clients:
            if client.socket is not None and client._kind != "readers":
                poll.register(client.socket, select.POLLIN)
                by_number[client.socket.fileno()] = client
        for number, _ in poll.poll(50):
            by_number[number].readable()
        if now > told + 1:
            told = now
            counts = {kind: sum(c.socket is not None for c in clients if c._kind == kind) for kind in task["kinds"]}
            with contextlib.suppress(BrokenPipeError):
                print(json.dumps({"open": counts, "opened": sum(c.opened for c in clients)}), flush=True)


if __name__ == "__main__":
    hold(json.loads(sys.argv[1]))
