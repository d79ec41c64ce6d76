"""Events of connections, as the main loop sees them."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]

from mediaflow.serving.answering import AnsweringWorker
from mediaflow.serving.connection import Connection


@pytest.fixture
def loop() -> Iterator[tuple[AnsweringWorker, Connection, socket.socket]]:
    """A main loop with one connection, and its client's end."""
    ours, theirs = socket.socketpair()
    worker = object.__new__(AnsweringWorker)
    with ours, theirs, selectors.DefaultSelector() as worker.poller:
        yield worker, Connection(Config(), ours, "", ""), theirs


def test_an_event_that_comes_after_its_connection_went_on_is_nothing(
    loop: tuple[AnsweringWorker, Connection, socket.socket],
) -> None:
    worker, conn, client = loop
    seen: list[str] = []

    def first(_: Connection) -> None:
        seen.append("first")

    def second(_: Connection) -> None:
        seen.append("second")

    worker._watch(conn, selectors.EVENT_READ, first)
    client.sendall(b"x")
    ((key, _),) = worker.poller.select(1)
    conn.unwatch(worker.poller)  # as when its pause ended in the same turn: a thread has it
    key.data(key.fileobj)
    worker._watch(conn, selectors.EVENT_READ, second)
    key.data(key.fileobj)
    assert seen == []
    ((key, _),) = worker.poller.select(1)
    key.data(key.fileobj)
    assert seen == ["second"]
