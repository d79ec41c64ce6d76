"""Watches a program that was started as an own process group: wall clock, silence, a wish to stop, too much output.

Everything happens in the calling thread, with one `select` over both pipes. That matters for more than simplicity: see
`StartedProgram`.
"""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mediaflow.domain.errors import TaskFailed
from mediaflow.sandbox.budget import LOOK_SECONDS, Budget, Meter
from mediaflow.sandbox.cgroups import MemoryGroup
from mediaflow.sandbox.kernel import let_give_way
from mediaflow.sandbox.process import Limits
from mediaflow.sandbox.program import Program, Running, start_program
from mediaflow.sandbox.usage import PROCESSES

STDERR_KEPT_BYTES: Final = 16 * 1024
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
    there (empty: nothing). `budget` is what it may use, with all that it starts. `nice` is how far it gives way to
    others (nice(2)); `nice_now` is asked with `stop` how far it does from then on, with all that it started, where that
    is more. While it runs it is one of `running`, and in the `group`, which bounds its memory.
    """

    name: str
    limits: Limits
    on_line: Callable[[str], None] | None = None
    stop: Callable[[], str | None] | None = None
    stdin: bytes = b""
    budget: Budget | None = None
    nice: int = 0
    nice_now: Callable[[], int] = lambda: 0
    running: Running | None = None
    group: MemoryGroup | None = None


def watched(
    argv: Sequence[str], watch: Watch, *, env: Mapping[str, str], cwd: Path, files: Sequence[int] = ()
) -> Ended:
    """Start a program and watch it to its end: see `watch_to_end`; also raises TaskFailed `job.program_missing`."""
    program = start_program(
        watch.name, argv, env=env, cwd=cwd, stdin=watch.stdin, files=files, nice=watch.nice, group=watch.group
    )
    if watch.running is None:
        return watch_to_end(program, watch)
    with watch.running.holding(program):
        return watch_to_end(program, watch)


def watch_to_end(program: Program, watch: Watch) -> Ended:
    """Watch a program to its end. Whatever happens, nothing of its group is left when this returns or raises.

    Raises TaskFailed (`job.timeout`, `job.stalled`, `job.stopped`, `job.output_too_large`), MediaRejected
    (`media.too_costly`), or what `on_line` raises.
    """
    bounded = watch.group is not None
    meter = None if watch.budget is None else Meter(watch.name, watch.budget, bounded)
    run = _Run(program, watch, meter, watch.nice)
    try:
        run.to_end()
    finally:
        with closing(program):
            returncode = _end(program)
    return Ended(returncode, bytes(run.stdout), bytes(run.stderr), round(time.monotonic() - run.started, 3))


@dataclass(slots=True)
class _Run:
    """One program while it runs."""

    program: Program
    watch: Watch
    meter: Meter | None
    nice: int
    """How far it gives way by now."""
    started: float = field(default_factory=time.monotonic)
    heard: float = field(default_factory=time.monotonic)
    asked: float = 0.0
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)

    def to_end(self) -> None:
        ended_at: float | None = None
        with selectors.DefaultSelector() as selector:
            for pipe, take in ((self.program.stdout, self._take_stdout), (self.program.stderr, self._take_stderr)):
                os.set_blocking(pipe, False)
                selector.register(pipe, selectors.EVENT_READ, take)
            while selector.get_map():
                for key, _ in selector.select(self._wait_seconds):
                    _pump(selector, key.fd, key.data)
                if ended_at is None:
                    self._check()
                    ended_at = time.monotonic() if self.program.has_ended() else None
                elif time.monotonic() - ended_at > _LINGER_SECONDS:
                    break
        while not self.program.has_ended(self._wait_seconds):  # it closed its pipes and goes on
            self._check()
        self._finish_line()

    def _take_stdout(self, data: bytes) -> None:
        self.stdout += data
        if self.watch.on_line is None:
            self.heard = time.monotonic() if b"\n" in data else self.heard
            if len(self.stdout) > self.watch.limits.stdout_bytes:
                raise self._failure("job.output_too_large", f"wrote more than {self.watch.limits.stdout_bytes} bytes")
            return
        if b"\n" not in data:  # a long line that comes in little pieces is not looked through again for each of them
            self._check_line()
            return
        *lines, rest = self.stdout.split(b"\n")
        self.stdout = bytearray(rest)
        for line in lines:
            self.heard = time.monotonic()
            self.watch.on_line(line.decode(errors="replace"))
        self._check_line()

    def _check_line(self) -> None:
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

    @property
    def _wait_seconds(self) -> float:
        return _POLL_SECONDS if self.meter is None or self.meter.bounded else LOOK_SECONDS

    def _check(self) -> None:
        if self.meter is not None:
            self.meter.check(self.program.pids())
        now, limits = time.monotonic(), self.watch.limits
        if now - self.started > limits.wall_seconds:
            raise self._failure("job.timeout", f"did not end within {limits.wall_seconds:g} seconds")
        if limits.stall_seconds is not None and now - self.heard > limits.stall_seconds:
            raise self._failure("job.stalled", f"made no progress for {limits.stall_seconds:g} seconds")
        if now - self.asked >= _POLL_SECONDS:
            self.asked = now
            self._ask()

    def _ask(self) -> None:
        if self.watch.stop is not None and (reason := self.watch.stop()) is not None:
            raise TaskFailed(f"{self.watch.name} was stopped: {reason}.", code="job.stopped", reason=reason)
        if (nice := self.watch.nice_now()) > self.nice:
            self.nice = nice
            let_give_way(PROCESSES.members(*self.program.pids()), nice)

    def _failure(self, code: str, what: str) -> TaskFailed:
        return TaskFailed(f"{self.watch.name} {what} and was ended.", code=code, program=self.watch.name)


def _pump(selector: selectors.BaseSelector, pipe: int, take: Callable[[bytes], None]) -> None:
    try:
        data = os.read(pipe, _BLOCK_BYTES)
    except BlockingIOError:
        return
    if data:
        take(data)
    else:
        selector.unregister(pipe)


def _end(program: Program) -> int:
    """End the whole group, collect the program, and wait until nobody holds its pipes any more."""
    returncode = program.end()
    deadline = time.monotonic() + _DRAIN_SECONDS
    for pipe in (program.stdout, program.stderr):
        while time.monotonic() < deadline and not _at_end(pipe):
            time.sleep(0.005)
    return returncode


def _at_end(pipe: int) -> bool:
    os.set_blocking(pipe, False)
    try:
        while os.read(pipe, _BLOCK_BYTES):
            pass
    except BlockingIOError:
        return False
    return True
