"""A receiver of webhooks, which behaves as its paths say."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from standardwebhooks.webhooks import Webhook

HANG_SECONDS: Final = 30.0


@dataclass
class Receiver:
    """What arrived, by path. `answers` are the statuses still to be answered at a path; 200 afterwards."""

    port: int = 0
    got: dict[str, list[tuple[dict[str, str], bytes]]] = field(default_factory=dict)
    answers: dict[str, list[int]] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def numbers(self, path: str, secret: str) -> list[int]:
        """The numbers of the events that arrived at a path, each verified."""
        return [Webhook(secret).verify(body, headers)["data"]["number"] for headers, body in self.got.get(path, [])]

    def types(self, path: str) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.got.get(path, [])]


@contextmanager
def receiving(
    host: str = "127.0.0.1", port: int = 0, receiver: Receiver | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[Receiver]:
    """A receiver while the block runs, at a port of its own, or at that one again."""
    kept = receiver or Receiver()
    kept.ended.clear()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got = kept.got.setdefault(self.path, [])
            got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            if self.path == "/hang":
                kept.ended.wait(HANG_SECONDS)
                return
            if self.path == "/drip":
                self._drip()
                return
            waiting = kept.answers.get(self.path, [])
            self.send_response(waiting.pop(0) if waiting else 200)
            self.send_header("Location", kept.url("/inner"))
            self.end_headers()
            self.wfile.write(b"\0" + b"x" * (10_000_000 if self.path == "/large" else 100))

        def _drip(self) -> None:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not kept.ended.wait(0.05):
                self.wfile.write(b"x")

        def log_message(self, *_: Any) -> None:
            """Nothing: the tests look at what arrived."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Connections that the sender ends early are what is tested."""

    server = Server((host, port), Handler)
    kept.port = server.server_port
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        kept.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


def until(true: Any, *, seconds: float = 20.0) -> None:
    """Wait until it is so."""
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.02)
