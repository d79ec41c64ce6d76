"""One connection of a client, and where it is between two requests."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Any, Final

from gunicorn.http import get_parser  # type: ignore[import-untyped]

from mediaflow.serving.arriving import Arriving
from mediaflow.serving.pauses import Pause
from mediaflow.serving.wire import Wire

READ_BYTES: Final = 64 * 1024
UNSENT_BYTES: Final = 128 * 1024
"""So much waits in the kernel to be sent for the first time: a client that reads nothing shall not fill its memory."""


class Phase(Enum):
    """What a connection waits for. All but WORKING are the main loop's, and hold no thread."""

    IDLE = auto()
    ARRIVING = auto()
    WORKING = auto()
    SENDING = auto()
    PAUSED = auto()
    LINGERING = auto()
    CLOSED = auto()


class Connection:
    """`until` (monotonic) is when its phase ends whatever happens; `holder` the address that it counts for, or ""."""

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any) -> None:
        sock.setblocking(False)
        with contextlib.suppress(OSError):  # not a TCP socket, or gone already
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        self.sock, self.client, self.server = sock, client, server
        self.wire = Wire(sock)
        self.parser = get_parser(cfg, self.wire, client)
        self.arriving = Arriving()
        self.phase = Phase.WORKING
        self.until = 0.0
        self.taken = 0
        self.left_to_discard = 0
        self.holder = ""
        self.serving: Iterator[Pause | None] | None = None
        self.pause: Pause | None = None
        self.watched = False
        self.step: Callable[[Connection], None] | None = None

    @property
    def address(self) -> str:
        """The peer's; empty for a socket that has none."""
        return str(self.client[0]) if isinstance(self.client, tuple) else ""

    def enter(self, phase: Phase, seconds: float) -> None:
        self.phase = phase
        self.until = time.monotonic() + seconds

    def watch(self, poller: selectors.BaseSelector, events: int, callback: Callable[[Any], None]) -> None:
        """Have the main loop call back when the socket can be read or written."""
        if self.watched:
            poller.modify(self.sock, events, callback)
        else:
            poller.register(self.sock, events, callback)
        self.watched = True

    def unwatch(self, poller: selectors.BaseSelector) -> None:
        if self.watched:
            poller.unregister(self.sock)
        self.watched = False

    def read(self) -> bytes | None:
        """What can be read now; None when there is nothing yet, b"" when the client is gone or has said all."""
        try:
            return self.sock.recv(READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def hand_over(self) -> None:
        """Give what has arrived to the parser."""
        self.parser.unreader.unread(bytes(self.arriving.data))
        self.arriving.data.clear()

    def take_back(self) -> None:
        """What the parser holds beyond its request is the beginning of the next one."""
        self.arriving = Arriving(self.parser.unreader.take_buffered())
