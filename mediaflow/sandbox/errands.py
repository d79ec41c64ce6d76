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
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self

from mediaflow.domain.errors import MediaflowError, TaskFailed
from mediaflow.sandbox.errandchannel import ErrandChannel
from mediaflow.sandbox.process import Completed, Limits
from mediaflow.sandbox.program import Running
from mediaflow.sandbox.runner import SYSTEM, Files, SandboxedRunner
from mediaflow.sandbox.watchdog import LINE_BYTES

AT_ONCE: Final = 16
"""So many programs of one step run at the same time; more wait."""
STDOUT_BYTES: Final = 16 * 1024 * 1024
"""The most that a step may ask to have kept of a program's stdout."""
KEPT_BYTES: Final = 64 * 1024 * 1024
"""The most that is kept for all programs of a step that run or whose answer it has not read; more wait."""
_ASK_SECONDS: Final = 0.005
"""Between two things that a step says, true or not: to start a program takes longer anyway."""
_END_SECONDS: Final = 10.0
"""So long the end of programs is waited for: they are killed, and what they leave in their pipes is read."""


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
class _Kept:
    """How much stdout of a step's programs may be in memory at a time, read by the step or not."""

    free: int = KEPT_BYTES
    changed: threading.Condition = field(default_factory=threading.Condition)

    @contextmanager
    def holding(self, amount: int, reason: Callable[[], str | None]) -> Iterator[None]:
        """Wait until there is room for so many bytes. TaskFailed when there is a `reason` to wait no more."""
        with self.changed:
            while self.free < amount:
                if (why := reason()) is not None:
                    raise TaskFailed(f"A program was not started: {why}.", code="job.stopped")
                self.changed.wait(0.2)
            self.free -= amount
        try:
            yield
        finally:
            with self.changed:
                self.free += amount
                self.changed.notify_all()


@dataclass(slots=True)
class Errands:
    """The worker's end. As a context it runs what is asked for; when it ends, nothing of it runs any more. What begins
    gives way as far as `nice` says then.
    """

    runner: SandboxedRunner
    room: Room
    control: socket.socket
    given: socket.socket
    """The child's end, to be passed to it."""
    nice: Callable[[], int]
    running: Running = field(default_factory=Running)
    _threads: list[threading.Thread] = field(default_factory=list)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _free: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(AT_ONCE))
    _kept: _Kept = field(default_factory=_Kept)
    _channels: list[ErrandChannel] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, runner: SandboxedRunner, room: Room, nice: Callable[[], int]) -> Self:
        control, given = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(runner, room, control, given, nice)

    def __enter__(self) -> Self:
        self._start(self._listen)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self.running.end()
        self.control.shutdown(socket.SHUT_RDWR)
        with self._lock:
            for channel in self._channels:
                channel.shut()
        deadline = time.monotonic() + _END_SECONDS
        for thread in self._threads:  # the first one adds to them until it has ended
            thread.join(max(0.0, deadline - time.monotonic()))
        self.control.close()
        self.given.close()

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, name="errand", daemon=True)
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
            self._stopped.wait(_ASK_SECONDS)

    def _errand(self, file: int) -> None:
        try:
            with self._held(file) as channel:
                try:
                    self._run(channel)
                except MediaflowError as error:
                    channel.say({"failed": {"code": error.code, "detail": error.detail}})
        except OSError:
            pass  # the step is gone or does not listen: nobody to tell
        finally:
            self._free.release()

    @contextmanager
    def _held(self, file: int) -> Iterator[ErrandChannel]:
        """The channel, shut when the step ends meanwhile."""
        channel = ErrandChannel.of(file, self._stopped.is_set)
        with channel.socket:
            with self._lock:
                self._channels.append(channel)
            try:
                yield channel
            finally:
                with self._lock:
                    self._channels.remove(channel)

    def _run(self, channel: ErrandChannel) -> None:
        request = channel.request()
        limits = Limits(**{**request["limits"], "stdout_bytes": min(request["limits"]["stdout_bytes"], STDOUT_BYTES)})
        files = Files([], None, Path(request["writes"] or "/"))
        if self.runner.sandbox != "off":
            self.room.check_program(request["argv"][0])
            files = self.room.files(request["reads"], request["writes"])
        runner = replace(self.runner, stop=lambda: self._reason(channel), nice=self.nice(), running=self.running)
        on_line = channel.say_line if request["lines"] else None
        with self._kept.holding(max(limits.stdout_bytes, LINE_BYTES), lambda: self._reason(channel)):
            channel.say_ended(runner.run_among(request["argv"], files, limits, on_line))

    def _reason(self, channel: ErrandChannel) -> str | None:
        """Why a program should end: its step did, or waits for it no more."""
        if self._stopped.is_set():
            return "its step ended"
        return "its step went on without it" if channel.is_left() else None
