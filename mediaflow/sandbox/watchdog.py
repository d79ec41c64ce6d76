"""Watches a program that was started as an own process group: wall clock, silence, a wish to stop, too much output.

Everything happens in the calling thread, with one `select` over both pipes. That matters for more than simplicity: the
kernel sends a parent-death signal when the *thread* that forked ends, so the thread that starts a program must be the
one that waits for it.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from mediaflow.domain.errors import TaskFailed
from mediaflow.sandbox.process import Limits

STDERR_KEPT_BYTES: Final = 16 * 1024
MARK_VARIABLE: Final = "STEP_MARK"
"""The environment variable that `end_marked` looks for."""
LINE_BYTES: Final = 1024 * 1024
"""A longer line on stdout is an error: lines are for reports, not for data."""
_POLL_SECONDS: Final = 0.2
_DRAIN_SECONDS: Final = 2.0
"""How long after a kill the pipes are read: their end says that nothing of the group lives and writes any more."""
_LINGER_SECONDS: Final = 0.5
"""How long a pipe may stay open after the program ended; it is then held by something that the program left behind."""
_BLOCK_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Ended:
    """A program that ended by itself; `returncode` is negative for a signal. `stderr` is its raw last 16 KiB."""

    returncode: int
    stdout: bytes
    stderr: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class Watch:
    """What to watch while a program runs. `name` is how messages call it.

    `stop` is asked about five times a second and answers with a reason, or None. `stdin` is what the program reads
    there (empty: nothing).
    """

    name: str
    limits: Limits
    on_line: Callable[[str], None] | None = None
    stop: Callable[[], str | None] | None = None
    stdin: bytes = b""


def watched(argv: Sequence[str], watch: Watch, *, env: Mapping[str, str], cwd: Path) -> Ended:
    """Run a program to its end. Whatever happens, nothing of its process group is left when this returns or raises.

    Raises TaskFailed (`job.timeout`, `job.stalled`, `job.stopped`, `job.output_too_large`, `job.program_missing`), or
    what `on_line` raises.
    """
    with tempfile.TemporaryFile() as stdin:
        # a file, not a pipe: a program that never reads its stdin cannot block us
        stdin.write(watch.stdin)
        stdin.seek(0)
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=stdin if watch.stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(env),
                cwd=cwd,
                process_group=0,
            )
        except OSError as error:
            raise TaskFailed(
                f"{watch.name} cannot be started: {error.strerror}.", code="job.program_missing"
            ) from error
    with process:
        try:
            return _Run(process, watch).to_end()
        finally:
            _kill(process)


@dataclass(slots=True)
class _Run:
    """One program while it runs."""

    process: subprocess.Popen[bytes]
    watch: Watch
    started: float = field(default_factory=time.monotonic)
    heard: float = field(default_factory=time.monotonic)
    asked: float = 0.0
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)

    def to_end(self) -> Ended:
        ended_at: float | None = None
        with selectors.DefaultSelector() as selector:
            for pipe, take in zip(_pipes(self.process), (self._take_stdout, self._take_stderr), strict=True):
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, selectors.EVENT_READ, take)
            while selector.get_map():
                for key, _ in selector.select(_POLL_SECONDS):
                    _pump(selector, key.fd, key.data)
                if ended_at is None:
                    self._check()
                    ended_at = time.monotonic() if _has_ended(self.process) else None
                elif time.monotonic() - ended_at > _LINGER_SECONDS:
                    break
        while not _has_ended(self.process):  # it closed its pipes and goes on
            self._check()
            time.sleep(_POLL_SECONDS / 10)
        self._finish_line()
        _kill(self.process)
        return Ended(
            self.process.wait(), bytes(self.stdout), bytes(self.stderr), round(time.monotonic() - self.started, 3)
        )

    def _take_stdout(self, data: bytes) -> None:
        self.stdout += data
        if self.watch.on_line is None:
            self.heard = time.monotonic() if b"\n" in data else self.heard
            if len(self.stdout) > self.watch.limits.stdout_bytes:
                raise self._failure("job.output_too_large", f"wrote more than {self.watch.limits.stdout_bytes} bytes")
            return
        *lines, rest = self.stdout.split(b"\n")
        self.stdout = bytearray(rest)
        for line in lines:
            self.heard = time.monotonic()
            self.watch.on_line(line.decode(errors="replace"))
        if len(self.stdout) > LINE_BYTES:
            raise self._failure("job.output_too_large", f"wrote a line of more than {LINE_BYTES} bytes")

    def _finish_line(self) -> None:
        """The last line may lack its line feed."""
        if self.watch.on_line is not None and self.stdout:
            self.watch.on_line(self.stdout.decode(errors="replace"))
            self.stdout.clear()

    def _take_stderr(self, data: bytes) -> None:
        self.stderr += data
        del self.stderr[:-STDERR_KEPT_BYTES]

    def _check(self) -> None:
        now, limits = time.monotonic(), self.watch.limits
        if now - self.started > limits.wall_seconds:
            raise self._failure("job.timeout", f"did not end within {limits.wall_seconds:g} seconds")
        if limits.stall_seconds is not None and now - self.heard > limits.stall_seconds:
            raise self._failure("job.stalled", f"made no progress for {limits.stall_seconds:g} seconds")
        if self.watch.stop is None or now - self.asked < _POLL_SECONDS:
            return
        self.asked = now
        if (reason := self.watch.stop()) is not None:
            raise TaskFailed(f"{self.watch.name} was stopped: {reason}.", code="job.stopped", reason=reason)

    def _failure(self, code: str, what: str) -> TaskFailed:
        return TaskFailed(f"{self.watch.name} {what} and was ended.", code=code, program=self.watch.name)


def end_marked(mark: str) -> None:
    """Kill every process whose environment has that mark: what a program started in sessions of their own.

    A process that is born while we look is found in the next round; only one that clears its environment escapes.
    """
    wanted = f"{MARK_VARIABLE}={mark}".encode()
    deadline = time.monotonic() + _DRAIN_SECONDS
    while time.monotonic() < deadline:
        if not sum(_kill_marked(path, wanted) for path in Path("/proc").glob("[0-9]*")):
            return
        time.sleep(0.01)


def _kill_marked(path: Path, wanted: bytes) -> bool:
    try:
        # the handle before the look: the number may go to another process at any time, the handle cannot
        handle = os.pidfd_open(int(path.name))
    except OSError:
        return False
    try:
        if wanted not in (path / "environ").read_bytes().split(b"\0"):
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except OSError:
        return False  # another user's, or gone
    finally:
        os.close(handle)
    return True


def _pump(selector: selectors.BaseSelector, pipe: int, take: Callable[[bytes], None]) -> None:
    try:
        data = os.read(pipe, _BLOCK_BYTES)
    except BlockingIOError:
        return
    if data:
        take(data)
    else:
        selector.unregister(pipe)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it ended; it stays a zombie, so that its number cannot go to a stranger before its group was killed."""
    if process.returncode is not None:
        return True
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the whole group, collect the program, and wait until nobody holds its pipes any more."""
    if process.returncode is not None:
        return
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + _DRAIN_SECONDS
    for pipe in _pipes(process):
        while time.monotonic() < deadline and not _at_end(pipe):
            time.sleep(0.005)


def _pipes(process: subprocess.Popen[bytes]) -> list[IO[bytes]]:
    return [pipe for pipe in (process.stdout, process.stderr) if pipe is not None]


def _at_end(pipe: IO[bytes]) -> bool:
    os.set_blocking(pipe.fileno(), False)
    try:
        while os.read(pipe.fileno(), _BLOCK_BYTES):
            pass
    except BlockingIOError:
        return False
    return True
