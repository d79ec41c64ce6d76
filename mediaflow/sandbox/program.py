"""A program that was started as an own process group: what a watchdog needs to know of it, and how one is started."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from mediaflow.domain.errors import TaskFailed


class Program(Protocol):
    """A program while it runs, and after. Its number stays its own until `end`, so that no stranger is killed."""

    @property
    def pid(self) -> int:
        """Its number on this machine; what it starts are its descendants."""
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

    @property
    def pid(self) -> int:
        """See `Program`."""
        return self.process.pid

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


def start_program(
    name: str, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, stdin: bytes = b""
) -> StartedProgram:
    """Start `argv`, which reads `stdin`. Raises TaskFailed `job.program_missing`, which calls it `name`."""
    with readable(stdin) as file:
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=file if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(env),
                cwd=cwd,
                process_group=0,
            )
        except OSError as error:
            raise TaskFailed(f"{name} cannot be started: {error.strerror}.", code="job.program_missing") from error
    stdout, stderr = (pipe.fileno() for pipe in (process.stdout, process.stderr) if pipe is not None)
    return StartedProgram(process, os.pidfd_open(process.pid), stdout, stderr)


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
