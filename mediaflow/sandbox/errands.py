"""Programs that a step's child wants run: it can make no sandbox of its own, so its worker runs them beside it.

For each program the child passes one end of a new socket through the socket that it was forked with, and writes
`{argv, reads, writes, lines, limits}` there as a line of JSON. The worker answers with `{"line": "..."}` while the
program runs, and at last `{"ended": {returncode, stdout, stderr, seconds}}` (stdout in Base64) or
`{"failed": {code, detail}}`. Whichever end is closed first ends the program.
"""

from __future__ import annotations

import base64
import json
import os
import select
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Self

from mediaflow.domain.errors import MediaflowError, TaskFailed
from mediaflow.sandbox.process import Completed, Limits
from mediaflow.sandbox.program import Running
from mediaflow.sandbox.runner import SYSTEM, Files, SandboxedRunner

AT_ONCE: Final = 16
"""So many programs of one step run at the same time; more wait."""
_STDOUT_BYTES: Final = 64 * 1024 * 1024
"""The most that a step may ask to have kept of a program's stdout."""
_LIMITS: Final = {limit.name for limit in fields(Limits)}
_REQUEST_BYTES: Final = 4 * 1024 * 1024
_PATIENCE_SECONDS: Final = 60.0
"""How long a step may leave a line unread, or a request unfinished."""


@dataclass(frozen=True, slots=True)
class AskingRunner:
    """The `ProcessRunner` of a step: asks the worker. `control` is the socket to it."""

    control: socket.socket

    def run(
        self,
        argv: Sequence[str],
        *,
        reads: Sequence[Path] = (),
        writes: Path | None = None,
        limits: Limits,
        on_line: Callable[[str], None] | None = None,
    ) -> Completed:
        """See `ProcessRunner.run`."""
        ours, theirs = socket.socketpair()
        with ours, ours.makefile("rwb") as stream:
            with theirs:
                socket.send_fds(self.control, [b"."], [theirs.fileno()])
            request = {
                "argv": [os.fspath(part) for part in argv],
                "reads": [str(Path(path).absolute()) for path in reads],
                "writes": None if writes is None else str(Path(writes).absolute()),
                "lines": on_line is not None,
                "limits": asdict(limits),
            }
            stream.write(json.dumps(request).encode() + b"\n")
            stream.flush()
            for answer in map(json.loads, stream):
                match answer:
                    case {"line": str() as line} if on_line is not None:
                        on_line(line)
                    case {"ended": ended}:
                        return Completed(**{**ended, "stdout": base64.b64decode(ended["stdout"])})
                    case {"failed": {"code": code, "detail": detail}}:
                        raise TaskFailed(detail, code=code)
        raise TaskFailed(f"{Path(argv[0]).name} was ended with the step.", code="job.stopped")


@dataclass(frozen=True, slots=True)
class Room:
    """What the programs of a step may see: all of `directory`, which is its own, and what it may read, as a whole. A
    program is the system's, or one in `code`.
    """

    directory: Path
    reads: Sequence[Path]
    code: Sequence[Path]

    def files(self, reads: Sequence[str], writes: str | None) -> Files:
        """What a program sees that asks for these. Paths are compared and never looked at: what is below its directory
        is the step's, links to anywhere among it.
        """
        start = None if writes is None else self._inside(writes)
        asked = [Path(os.path.normpath(path)) for path in reads]
        shown = [place for place in self.reads if any(path.is_relative_to(place) for path in asked)]
        for path in asked:
            if not any(path.is_relative_to(place) for place in (*self.reads, self.directory)):
                raise TaskFailed(f"A program may not read {path}: it is no file of its step.", code="job.step_broken")
        if start is None and any(path.is_relative_to(self.directory) for path in asked):
            shown = [*shown, self.directory]
        return Files(shown, None if start is None else self.directory, start or Path("/"))

    def check_program(self, name: str) -> None:
        """Raise TaskFailed unless it is a program's name, or the path of one where programs are."""
        path, places = Path(os.path.normpath(name)), [*map(Path, SYSTEM), *self.code]
        among = any(path.is_relative_to(place) for place in places) and not path.is_relative_to(self.directory)
        if "/" in name and not among:
            raise TaskFailed(
                f"{name} may not be run: programs are the system's or come with a plugin.", code="job.step_broken"
            )

    def _inside(self, path: str) -> Path:
        wanted = Path(os.path.normpath(path))
        if not wanted.is_relative_to(self.directory):
            raise TaskFailed(f"A program may not write to {path}: it is not in its step's.", code="job.step_broken")
        return wanted


@dataclass(slots=True)
class Errands:
    """The worker's end. As a context it runs what is asked for; when it ends, nothing of it runs any more."""

    runner: SandboxedRunner
    room: Room
    control: socket.socket
    given: socket.socket
    """The child's end, to be passed to it."""
    running: Running = field(default_factory=Running)
    _threads: list[threading.Thread] = field(default_factory=list)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _free: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(AT_ONCE))

    @classmethod
    def of(cls, runner: SandboxedRunner, room: Room) -> Self:
        control, given = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(runner, room, control, given)

    def __enter__(self) -> Self:
        self._start(self._listen)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self.running.end()
        self.control.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:  # the first one adds to them until it has ended
            thread.join()
        self.control.close()
        self.given.close()

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, name="errand")
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        while not self._stopped.is_set():
            data, files, _, _ = socket.recv_fds(self.control, 1, 1, socket.MSG_CMSG_CLOEXEC)
            if not data:
                return
            for file in files:
                self._threads[1:] = [thread for thread in self._threads[1:] if thread.is_alive()]
                while not self._free.acquire(timeout=0.2):
                    if self._stopped.is_set():
                        os.close(file)
                        return
                self._start(self._errand, file)

    def _errand(self, file: int) -> None:
        try:
            with _socket(file) as channel:
                channel.settimeout(_PATIENCE_SECONDS)
                try:
                    self._say(channel, {"ended": self._done(channel)})
                except MediaflowError as error:
                    self._say(channel, {"failed": {"code": error.code, "detail": error.detail}})
        except OSError:
            pass  # the step is gone or does not listen: nobody to tell
        finally:
            self._free.release()

    def _done(self, channel: socket.socket) -> dict[str, Any]:
        request = _request(channel)
        limits = Limits(**{**request["limits"], "stdout_bytes": min(request["limits"]["stdout_bytes"], _STDOUT_BYTES)})
        files = Files([], None, Path(request["writes"] or "/"))
        if self.runner.sandbox != "off":
            self.room.check_program(request["argv"][0])
            files = self.room.files(request["reads"], request["writes"])
        runner = replace(self.runner, stop=lambda: self._reason(channel), running=self.running)
        on_line = (lambda line: self._say(channel, {"line": line})) if request["lines"] else None
        ended = runner.run_among(request["argv"], files, limits, on_line)
        return {**asdict(ended), "stdout": base64.b64encode(ended.stdout).decode()}

    def _reason(self, channel: socket.socket) -> str | None:
        """Why a program should end: its step did, or waits for it no more."""
        if self._stopped.is_set():
            return "its step ended"
        poll = select.poll()
        poll.register(channel, select.POLLIN)
        return "its step went on without it" if poll.poll(0) and not channel.recv(1, socket.MSG_PEEK) else None

    def _say(self, channel: socket.socket, answer: dict[str, Any]) -> None:
        channel.sendall(json.dumps(answer).encode() + b"\n")


def _socket(file: int) -> socket.socket:
    """What a step passed, as the socket that it should be; OSError when it is none."""
    try:
        return socket.socket(fileno=file)
    except OSError:
        os.close(file)
        raise


def _request(channel: socket.socket) -> dict[str, Any]:
    """The line of JSON, checked for its shape. TaskFailed when it is none."""
    data = bytearray()
    while not data.endswith(b"\n"):
        block = channel.recv(65536)
        data += block
        if not block or len(data) > _REQUEST_BYTES:
            raise TaskFailed("A step asked for a program in a way that is not understood.", code="job.step_broken")
    try:
        match json.loads(data):
            case {
                "argv": [_, *_] as argv,
                "reads": list() as reads,
                "writes": (str() | None) as writes,
                "lines": bool(),
                "limits": {"wall_seconds": (float() | int()), "stdout_bytes": int()} as limits,
            } as request if all(map(_is_text, (argv[0], *reads, writes or "/", *filter(None, argv)))) and all(
                name in _LIMITS and (value is None or _is_amount(value)) for name, value in limits.items()
            ):
                found: dict[str, Any] = request
                return found
    except ValueError:
        pass
    raise TaskFailed("A step asked for a program in a way that is not understood.", code="job.step_broken")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value) and "\0" not in value


def _is_amount(value: object) -> bool:
    return isinstance(value, float | int) and 0 <= value < 1e15
