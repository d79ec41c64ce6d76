"""The one place that runs programs on untrusted files: an argument list, a sandbox, limits, watchdogs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Limits:
    """When a program is killed. `wall_seconds` in all; `stall_seconds` without a line on stdout (None: not watched).

    `stdout_bytes` caps what is kept of stdout (more of it is an error); `file_bytes` is the largest file that it may
    write.
    """

    wall_seconds: float
    stall_seconds: float | None = None
    stdout_bytes: int = 4 * 1024 * 1024
    file_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Completed:
    """A program that ended by itself. `stderr` is the last 16 KiB of it, as text, without paths of this machine."""

    returncode: int
    stdout: bytes
    stderr: str
    seconds: float


class ProcessRunner(Protocol):
    """Runs a program to its end. An own process group dies with the caller; its environment holds no secret."""

    def run(
        self,
        argv: Sequence[str],
        *,
        reads: Sequence[Path] = (),
        writes: Path | None = None,
        limits: Limits,
        on_line: Callable[[str], None] | None = None,
    ) -> Completed:
        """Run `argv` in the sandbox, in the directory `writes`.

        It sees the system's programs, the files of `reads` (read only) and `writes`, at their own paths, and no
        network. With `on_line`, stdout is passed line by line and not kept. Raises TaskFailed (`job.timeout`,
        `job.stalled`, `job.output_too_large`, `job.program_missing`, and `job.killed` when others killed it).
        """
        ...
