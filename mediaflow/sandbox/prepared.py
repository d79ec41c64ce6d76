"""The worker's end of a prepared process (`forking.py`): started when it is needed, and again when it died."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from mediaflow.sandbox.cgroups import MemoryGroup
from mediaflow.sandbox.forked import ForkedProgram
from mediaflow.sandbox.forkserver import ForkServer
from mediaflow.sandbox.program import readable
from mediaflow.sandbox.view import Namespaces


@dataclass(frozen=True, slots=True)
class Fork:
    """A child to fork: its directory, the mark of it and of all that it starts, how far it gives way to others (nice),
    what it reads on stdin, a socket for it, and the namespaces that it enters (None: it stays in ours and has our
    rights).
    """

    directory: Path
    mark: str
    nice: int
    stdin: bytes
    control: int
    namespaces: Namespaces | None
    others: Callable[[], Sequence[int]] = tuple
    """Numbers of processes that count as its own beside it."""
    group: MemoryGroup | None = None
    """It is in there, with all that it starts."""


class PreparedProcess:
    """Forks programs. Threads may share it, processes may not: a fork of ours starts a prepared process of its own.

    `command` is started with the number of a socket behind it, for `forking.serve`; in its environment is what
    `environment` answers, and nothing else. Both count when it is started.
    """

    def __init__(self, command: Callable[[], Sequence[str]], environment: Callable[[], Mapping[str, str]]) -> None:
        self._command, self._environment = command, environment
        self._lock = threading.Lock()
        self._server: ForkServer | None = None

    def fork(self, wanted: Fork) -> ForkedProgram:
        """A child of the prepared process, in a session of its own. Raises TaskFailed `job.step_broken` when there is
        none; the next call starts another prepared process where that was the reason.
        """
        server, inside = self._ready(), wanted.namespaces
        request = {
            "directory": str(wanted.directory),
            "mark": wanted.mark,
            "nice": wanted.nice,
            "enter": None if wanted.group is None else str(wanted.group.entry),
            "user": None if inside is None else inside.user,
            "groups": [] if inside is None else list(inside.groups),
        }
        with ExitStack() as stack, readable(wanted.stdin) as stdin:
            (stdout, out), (stderr, err) = os.pipe(), os.pipe()
            stack.callback(os.close, out)
            stack.callback(os.close, err)
            with ExitStack() as unless_forked:
                unless_forked.callback(os.close, stdout)
                unless_forked.callback(os.close, stderr)
                files = [stdin.fileno(), out, err, wanted.control]
                pid, handle = server.fork(request, [*files, *(inside.files if inside else ())])
                unless_forked.pop_all()
        end_inside = None if inside is None else inside.end
        return ForkedProgram(pid, handle, stdout, stderr, server.collect, end_inside, wanted.others)

    def start(self) -> None:
        """Start the prepared process, if it does not run. It imports while others go on; TaskFailed when it can't."""
        self._ready()

    def close(self) -> None:
        """End the prepared process, and with it every child that it has."""
        with self._lock:
            if self._server is not None:
                self._server.end()
                self._server = None

    def _ready(self) -> ForkServer:
        with self._lock:
            if self._server is None or not self._server.serves(os.getpid()):
                if self._server is not None:
                    self._server.end()
                self._server = ForkServer.started(self._command(), self._environment())
                weakref.finalize(self, self._server.end)  # whoever forgets to close, or is interrupted, leaves nothing
            return self._server
