"""A program that was started as an own process group: what a watchdog needs to know of it, and how one is started."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from mediaflow.domain.errors import TaskFailed
from mediaflow.sandbox.cgroups import MemoryGroup
from mediaflow.sandbox.kernel import let_session_give_way


class Program(Protocol):
    """A program while it runs, and after. Its number stays its own until `end`, so that no stranger is killed."""

    def pids(self) -> Sequence[int]:
        """Numbers on this machine of processes that, with their descendants, are the program and what it started."""
        ...

    @property
    def stdout(self) -> int:
        """Where its stdout is read: a pipe's file descriptor."""
        ...

    @property
    def stderr(self) -> int: ...

    def has_ended(self, within_seconds: float = 0.0) -> bool:
        """Whether it ended by itself, now or in that time; what it started may go on."""
        ...

    def end(self) -> int:
        """Kill what lives of its group and collect it: its exit code, negative for a signal. Again: the same."""
        ...

    def close(self) -> None:
        """Give the pipes back, after `end`."""
        ...


@dataclass(frozen=True, slots=True)
class StartedProgram:
    """A program that this process started. The kernel ties it to the *thread* that started it, which must wait for it:
    a parent-death signal is sent when that thread ends.
    """

    process: subprocess.Popen[bytes]
    handle: int
    stdout: int
    stderr: int

    def pids(self) -> Sequence[int]:
        """See `Program`."""
        return [self.process.pid]

    def has_ended(self, within_seconds: float = 0.0) -> bool:
        """See `Program`."""
        return has_ended(self.handle, within_seconds)

    def end(self) -> int:
        """See `Program`."""
        if self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait()

    def close(self) -> None:
        """See `Program`."""
        os.close(self.handle)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


@dataclass(slots=True)
class Running:
    """Programs while they run, for other threads than those that watch them."""

    _programs: list[StartedProgram] = field(default_factory=list)
    _ended: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def holding(self, program: StartedProgram) -> Iterator[None]:
        with self._lock:
            self._programs.append(program)
            if self._ended:
                program.process.kill()
        try:
            yield
        finally:
            with self._lock:
                self._programs.remove(program)

    def pids(self) -> list[int]:
        """See `Program.pids`, of all of them."""
        with self._lock:
            return [pid for program in self._programs for pid in program.pids()]

    def end(self) -> None:
        """Kill all, and whatever comes later; those who watch them collect them."""
        with self._lock:
            self._ended = True
            for program in self._programs:
                program.process.kill()  # not one that was collected, whose number may be another's


def start_program(
    name: str,
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    stdin: bytes = b"",
    files: Sequence[int] = (),
    nice: int = 0,
    group: MemoryGroup | None = None,
) -> StartedProgram:
    """Start `argv`, which reads `stdin`, is given open `files` under their numbers, gives way to others (nice(2)), and
    is in `group`.

    Raises TaskFailed `job.program_missing`, which calls it `name`.
    """
    with readable(stdin) as file:
        try:
            process = subprocess.Popen(
                # by a program: what is told from outside misses a process that is being forked at the moment
                [*_into(group), *([program_path("nice"), "-n", str(nice)] if nice else ()), *argv],
                stdin=file if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(env),
                cwd=cwd,
                pass_fds=files,
                start_new_session=True,  # no terminal to type into, and no Ctrl-C
            )
        except OSError as error:
            raise TaskFailed(f"{name} cannot be started: {error.strerror}.", code="job.program_missing") from error
    if nice:
        let_session_give_way(process.pid, nice)
    stdout, stderr = (pipe.fileno() for pipe in (process.stdout, process.stderr) if pipe is not None)
    return StartedProgram(process, os.pidfd_open(process.pid), stdout, stderr)


def _into(group: MemoryGroup | None) -> list[str]:
    """What comes before a command so that it is in the group from its first moment on."""
    return [] if group is None else ["/bin/sh", "-c", 'echo 0 > "$0" && exec "$@"', str(group.entry)]


def has_ended(handle: int, within_seconds: float | None) -> bool:
    """Whether the process of a handle (pidfd) has ended, collected or not; None waits for it."""
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(None if within_seconds is None else within_seconds * 1000))


def readable(data: bytes) -> IO[bytes]:
    """A file to give to a program as its stdin: unlike a pipe, a program that never reads it cannot block us."""
    file = os.fdopen(os.memfd_create("stdin"), "w+b")
    file.write(data)
    file.seek(0)
    return file


def program_path(name: str) -> str:
    """The program's absolute path, found on our own PATH. Raises TaskFailed `job.program_missing`."""
    found = shutil.which(name)
    if found is None:
        raise TaskFailed(
            f"{name} is not installed on this machine; `mediaflow doctor` says what to install.",
            code="job.program_missing",
            program=name,
        )
    return str(Path(found).absolute())
