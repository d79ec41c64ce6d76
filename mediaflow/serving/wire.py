"""A client's socket as gunicorn's parser and response see it: reading has a pace, writing waits for nobody."""

from __future__ import annotations

import fcntl
import select
import socket
import struct
import termios
import time
from collections import deque
from collections.abc import Mapping
from typing import Final

PACE: Final = "mediaflow.pace"
"""Where a request's environment has the `Pace` of its body."""
INTERIM: Final = "mediaflow.interim"
"""Where it has what sends an answer before the answer (RFC 9110, 15.2), if its client understands that."""
WINDOW_SECONDS: Final = 20.0
"""Over so long a least rate is measured."""
RECEIVED_BYTES: Final = 64 * 1024
"""At most so many are taken at a time. gunicorn asks for all that may come, keeps what nobody has read yet, and copies
that at each read: of a megabyte at a time this took half of an upload's seconds (measured)."""
SLICE_BYTES: Final = 256 * 1024
"""So much is given to the kernel at a time: others get their turn."""


class Pace:
    """How fast a body has to arrive: by default all of it within some seconds."""

    __slots__ = ("_count", "_least", "_until")

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._count = 0
        self._least = 0

    def by_rate(self, bytes_per_second: int) -> None:
        """From now on it may take any time, at that rate or more over each 20 s."""
        self._least = max(1, round(bytes_per_second * WINDOW_SECONDS))
        self._until = time.monotonic() + WINDOW_SECONDS
        self._count = 0

    def took(self, count: int) -> None:
        """So many bytes came."""
        self._count += count
        if self._least and self._count >= self._least:
            self._count, self._until = 0, time.monotonic() + WINDOW_SECONDS

    def left(self) -> float:
        """Seconds for which the next bytes are awaited; TimeoutError when there are none left."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("The body arrives too slowly.")
        return left


class Wire:
    """Threads read from it and write to it, one at a time; what the kernel does not take at once is kept for later."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.pace = Pace(0.0)
        self._kept: deque[memoryview] = deque()
        self._sent = 0

    # --- what gunicorn calls

    def recv(self, size: int) -> bytes:
        """Bytes of the client, b"" when it has closed. Raises TimeoutError when they come too slowly, OSError."""
        while True:
            left = self.pace.left()
            try:
                block = self.sock.recv(min(size, RECEIVED_BYTES))
            except BlockingIOError:
                ready = select.poll()
                ready.register(self.sock, select.POLLIN)
                ready.poll(left * 1000)
            else:
                self.pace.took(len(block))
                return block

    def sendall(self, data: bytes) -> None:
        """Take these bytes: `flush` sends what did not go at once. Raises OSError when the client is gone."""
        if data:
            self._kept.append(memoryview(data))
            self.flush()

    send = sendall

    def say(self, status: str, headers: Mapping[str, str]) -> None:
        """An interim answer; none while the client does not read what it was sent. Raises OSError when it is gone."""
        if not self.is_full:
            lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items())]
            self.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))

    # --- what our worker calls

    @property
    def is_full(self) -> bool:
        """True while bytes are kept that the kernel did not take."""
        return bool(self._kept)

    def flush(self) -> None:
        """Send what can be sent without waiting."""
        while self._kept:
            block = self._kept[0]
            try:
                count = self.sock.send(block[:SLICE_BYTES])
            except BlockingIOError:
                return
            self._sent += count
            if count == len(block):
                self._kept.popleft()
            else:
                self._kept[0] = block[count:]

    def taken(self) -> int:
        """How many bytes the client's side has acknowledged: the kernel's own buffer is no progress of the client."""
        answer = fcntl.ioctl(self.sock.fileno(), termios.TIOCOUTQ, struct.pack("i", 0))
        unacknowledged: int = struct.unpack("i", answer)[0]
        return self._sent - unacknowledged
