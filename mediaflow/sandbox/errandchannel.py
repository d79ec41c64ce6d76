"""The worker's end of the socket through which a step asks for one program.

The step made the socket and may hold its open file description still, so it can change the flags of it (fcntl(2),
F_SETFL) at any moment: whether the socket blocks is not ours to set. Each call here says for itself that it does not.
"""

from __future__ import annotations

import base64
import json
import os
import select
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any, Final, Self

from mediaflow.domain.errors import TaskFailed
from mediaflow.sandbox.process import Completed, Limits

PATIENCE_SECONDS: Final = 60.0
"""How long a step may leave an answer unread, or a request unfinished."""
_LOOK_SECONDS: Final = 0.2
_REQUEST_BYTES: Final = 1024 * 1024
_MOST_NAMES: Final = 4096
"""Arguments, or files to read, of one program. Each is compared with all that the step may read."""
_BLOCK_BYTES: Final = 48 * 1024
"""A multiple of 3, so that the Base64 of blocks is that of the whole."""
_LIMITS: Final = {limit.name for limit in fields(Limits)}


@dataclass(frozen=True, slots=True)
class ErrandChannel:
    """What was passed by a step. Every method raises OSError when the step is gone, does not listen, or `stopped`."""

    socket: socket.socket
    stopped: Callable[[], bool]

    @classmethod
    def of(cls, file: int, stopped: Callable[[], bool]) -> Self:
        """The open file, which becomes the channel's; OSError when it is no stream socket of this machine."""
        try:
            found = socket.socket(fileno=file)
        except OSError:
            os.close(file)
            raise
        if (found.family, found.type) != (socket.AF_UNIX, socket.SOCK_STREAM):
            with suppress(OSError):  # closing another kind may wait for its peer
                found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            found.close()
            raise OSError("A step passed something else than a stream socket.")
        return cls(found, stopped)

    def request(self) -> dict[str, Any]:
        """The line of JSON, checked for its shape. TaskFailed when it is none."""
        data, deadline = bytearray(), time.monotonic() + PATIENCE_SECONDS
        while not data.endswith(b"\n"):
            try:
                block = self.socket.recv(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                self._wait(select.POLLIN, deadline)
                continue
            data += block
            if not block or len(data) > _REQUEST_BYTES:
                raise _not_understood()
        return _checked_request(data)

    def say(self, answer: dict[str, Any]) -> None:
        self._send(json.dumps(answer).encode() + b"\n", time.monotonic() + PATIENCE_SECONDS)

    def say_line(self, line: str) -> None:
        """Block by block: as JSON a line may be six times as long."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        self._send(b'{"line": "', deadline)
        for start in range(0, len(line), _BLOCK_BYTES):
            self._send(json.dumps(line[start : start + _BLOCK_BYTES])[1:-1].encode(), deadline)
        self._send(b'"}\n', deadline)

    def say_ended(self, ended: Completed) -> None:
        """Block by block: stdout is held once, and not again as Base64 and as JSON."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        rest = {"returncode": ended.returncode, "stderr": ended.stderr, "seconds": ended.seconds}
        self._send(b'{"ended": ' + json.dumps(rest).encode()[:-1] + b', "stdout": "', deadline)
        stdout = memoryview(ended.stdout)
        for start in range(0, len(stdout), _BLOCK_BYTES):
            self._send(base64.b64encode(stdout[start : start + _BLOCK_BYTES]), deadline)
        self._send(b'"}}\n', deadline)

    def is_left(self) -> bool:
        """Whether the step closed its end."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        try:
            return bool(poll.poll(0)) and not self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False

    def shut(self) -> None:
        """End what is under way in it, whoever holds it."""
        with suppress(OSError):  # its peer is gone
            self.socket.shutdown(socket.SHUT_RDWR)

    def _send(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self.socket.send(view, socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                self._wait(select.POLLOUT, deadline)

    def _wait(self, event: int, deadline: float) -> None:
        if self.stopped() or time.monotonic() > deadline:
            raise TimeoutError("A step does not listen.")
        poll = select.poll()
        poll.register(self.socket, event)
        poll.poll(_LOOK_SECONDS * 1000)


def _not_understood() -> TaskFailed:
    return TaskFailed("A step asked for a program in a way that is not understood.", code="job.step_broken")


def _checked_request(data: bytes | bytearray) -> dict[str, Any]:
    try:
        request = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _not_understood() from error
    match request:
        case {
            "argv": [str(), *_] as argv,
            "reads": [*reads],
            "writes": (str() | None) as writes,
            "lines": bool(),
            "limits": {"wall_seconds": (float() | int()), "stdout_bytes": int()} as limits,
        } if (
            max(len(argv), len(reads)) <= _MOST_NAMES
            and all(map(_is_text, (argv[0], *reads, writes or "/")))
            and all(part == "" or _is_text(part) for part in argv)
            and all(name in _LIMITS and (value is None or _is_amount(value)) for name, value in limits.items())
        ):
            found: dict[str, Any] = request
            return found
    raise _not_understood()


def _is_text(value: object) -> bool:
    """Whether it can be an argument or a path: half of a surrogate pair can not."""
    if not isinstance(value, str) or not value or "\0" in value:
        return False
    try:
        return bool(os.fsencode(value))
    except UnicodeEncodeError:
        return False


def _is_amount(value: object) -> bool:
    return isinstance(value, float | int) and 0 <= value < 1e15
