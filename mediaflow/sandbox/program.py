"""A program that was started as an own process group: what a watchdog needs to know of it, and how one is started."""

from __future__ import annotations

import os
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
    def stdout(self) -> int:
        """Where its stdout is read: a pipe's file descriptor."""
        ...

    @property
    def stderr(self) -> int: ...

    def has_ended(self) -> bool:
        """Whether it ended by itself; what it started may go on."""
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
    stdout: int
    stderr: int

    def has_ended(self) -> bool:
        """See `Program`."""
        if self.process.returncode is not None:
            return True
        # it stays a zombie, so that its number cannot go to a stranger before its group was killed
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def end(self) -> int:
        """See `Program`."""
        if self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait()

    def close(self) -> None:
        """See `Program`."""
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
    return StartedProgram(process, stdout, stderr)


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
