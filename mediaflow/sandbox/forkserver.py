"""One prepared process and the socket to it: requests that are answered one after another (`forking.py`)."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Final, Self

import structlog

from mediaflow.domain.errors import TaskFailed
from mediaflow.sandbox.forking import FILES, MESSAGE_BYTES
from mediaflow.sandbox.marks import MARK_VARIABLE, NO_MARK
from mediaflow.sandbox.program import readable

_log = structlog.get_logger("mediaflow.steps")
_ANSWER_SECONDS: Final = 60.0
"""How long an answer may take: before the first one is every import, on a machine that is busy."""
_STDERR_SHOWN: Final = 2000


@dataclass(frozen=True, slots=True)
class ForkServer:
    """A prepared process while it runs; `owner` is the process that started it."""

    process: subprocess.Popen[bytes]
    channel: socket.socket
    stderr: IO[bytes]
    owner: int
    lock: threading.RLock = field(default_factory=threading.RLock)

    @classmethod
    def started(cls, command: Sequence[str], environment: Mapping[str, str]) -> Self:
        """Start it. No signal ties it to the thread that does: it ends when the socket is closed."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(_ANSWER_SECONDS)
        stderr = readable(b"")
        with theirs:
            try:
                process = subprocess.Popen(
                    [*command, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    env={**environment, MARK_VARIABLE: NO_MARK},
                    cwd="/",
                    pass_fds=[theirs.fileno()],
                    process_group=0,  # no Ctrl-C for it
                )
            except OSError as error:
                ours.close()
                stderr.close()
                raise _broken(f"could not be started: {error.strerror}") from error
        return cls(process, ours, stderr, os.getpid())

    def serves(self, process: int) -> bool:
        """Whether that process may ask it something."""
        return self.owner == process and self.channel.fileno() >= 0 and self.process.poll() is None

    def fork(self, request: Mapping[str, Any], files: Sequence[int]) -> tuple[int, int]:
        """The number and the handle of a new child. Raises TaskFailed."""
        answer, (handle,) = self._asked({"fork": request}, files)
        return answer["pid"], handle

    def collect(self, pid: int) -> int:
        """The status of a child that has ended. Raises TaskFailed."""
        answer, _ = self._asked({"collect": pid}, ())
        status: int = answer["status"]
        return status

    def end(self) -> None:
        """Kill it and its children, if they are ours, and forget it."""
        if self.owner == os.getpid():
            self.process.kill()  # first, so that whoever waits for an answer hears of it
            self.process.wait()
        with self.lock:
            self.channel.close()
            self.stderr.close()

    def _asked(self, request: Mapping[str, Any], files: Sequence[int]) -> tuple[dict[str, Any], list[int]]:
        with self.lock:
            try:
                socket.send_fds(self.channel, [json.dumps(request).encode()], files)
                data, handles, _, _ = socket.recv_fds(self.channel, MESSAGE_BYTES, FILES, socket.MSG_CMSG_CLOEXEC)
            except OSError as error:
                raise self._lost(f"gave no answer ({error})") from error
            if not data:
                raise self._lost("ended")
        answer = json.loads(data)
        if "error" in answer:
            raise _broken(f"could not do what it was asked for: {answer['error']}")
        return answer, handles

    def _lost(self, what: str) -> TaskFailed:
        if not self.stderr.closed:
            size = os.fstat(self.stderr.fileno()).st_size
            told = os.pread(self.stderr.fileno(), _STDERR_SHOWN, max(0, size - _STDERR_SHOWN))
            _log.warning("prepared process lost", what=what, stderr=told.decode(errors="replace"))
        self.end()
        return _broken(what)


def _broken(what: str) -> TaskFailed:
    return TaskFailed(f"The process that steps are forked from {what}.", code="job.step_broken")
