"""The service with two answers that wait, `/tests/parked?SECONDS` and `/tests/events?SECONDS` (or until `/tests/wake`),
and one that holds its thread for a second, `/tests/busy`. `/tests/exit` asks for the end of the process.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mediaflow.serving import Pause
from wsgi import app as service

_waiting: set[Pause] = set()
_open = 0


def _parked(seconds: float, start_response: Callable[..., Any]) -> Iterator[bytes]:
    for _ in range(2):
        pause = Pause(seconds / 2)
        yield pause
        pause.wait()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
    yield b"here"


def _events(seconds: float) -> Iterator[bytes]:
    global _open
    _open += 1
    try:
        yield b"hello\n"
        while True:
            pause = Pause(seconds)
            _waiting.add(pause)
            try:
                yield pause
                pause.wait()
            finally:
                _waiting.discard(pause)
            yield b"event\n"
    finally:
        _open -= 1


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """What is ours by path; the rest is the service's."""
    path = environ["PATH_INFO"]
    if path == "/tests/parked":
        return _parked(float(environ["QUERY_STRING"]), start_response)
    if path == "/tests/events":
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return _events(float(environ["QUERY_STRING"]))
    if path == "/tests/busy":
        time.sleep(1)
        start_response("204 No Content", [])
        return []
    if path == "/tests/exit":
        sys.exit("a view that wants to end the process")
    if path == "/tests/wake":
        told = f"{_open} {len(_waiting)}"
        for pause in list(_waiting):
            pause.wake()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [told.encode()]
    return service(environ, start_response)
