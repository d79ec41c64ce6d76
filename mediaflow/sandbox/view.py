"""What a confined program sees of this machine: made by bubblewrap, run there at once or entered later.

bubblewrap makes namespaces for a program that it starts. A program that is forked instead (`forking.py`) enters those
that bubblewrap made for a *holder*, a `cat` that does nothing but live until they were opened.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mediaflow.domain.errors import TaskFailed
from mediaflow.sandbox.bubblewrap import binds
from mediaflow.sandbox.capabilities import CapabilitySets
from mediaflow.sandbox.program import program_path

_ECHO: Final = b"."
"""What the holder says when it runs: then all is set up."""


@dataclass(frozen=True, slots=True)
class View:
    """The whole machine read-only, except `writes`. Of the directories in `hidden` a program sees only what `reads` and
    `writes` name below them.
    """

    hidden: Sequence[Path]
    reads: Sequence[Path]
    writes: Path


@dataclass(frozen=True, slots=True)
class Namespaces:
    """A view that stands: open namespaces to enter, in this order, and what may be kept of capabilities inside."""

    files: Sequence[int]
    capabilities: CapabilitySets


@contextmanager
def opened_view(view: View) -> Iterator[Namespaces]:
    """Make the view; it lives while the block runs, and for as long as a program is in it.

    Raises TaskFailed (`job.sandbox_failed`, `job.program_missing`).
    """
    with _holder(view) as process:
        files = _opened(process)
        try:
            yield Namespaces(files, CapabilitySets.of(process))
        finally:
            for file in files:
                os.close(file)


def bubblewrap_view(command: Sequence[str], view: View, options: Sequence[str] = ()) -> list[str]:
    """The command in the view, as an argument list."""
    argv = [
        program_path("bwrap"),
        *options,
        "--ro-bind", "/", "/",
        "--dev-bind", "/dev", "/dev",
        # the machine's own, and no process namespace: the inner sandbox looks itself up here by its number, and the
        # kernel allows no second /proc beside one that bubblewrap has covered in parts
        "--bind", "/proc", "/proc",
        "--die-with-parent",
        "--cap-drop", "ALL",  # root must not mount it all again, writable
    ]  # fmt: skip
    if os.geteuid() == 0:
        # user_namespaces(7): without it the inner sandbox may not map the user 0
        argv += ["--cap-add", "CAP_SETFCAP"]
    covers = sorted({path.absolute() for path in view.hidden if path.is_dir()}, key=lambda path: len(path.parts))
    for path in covers:
        argv += ["--tmpfs", str(path)]
    below = [path for path in view.reads if any(path.absolute().is_relative_to(cover) for cover in covers)]
    return [*argv, *binds(below, view.writes), "--chdir", str(view.writes.absolute()), "--", *command]


@contextmanager
def _holder(view: View) -> Iterator[Path]:
    """A process in the view, as its directory in /proc."""
    ours, theirs = (os.fdopen(file, mode) for file, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
    with (
        ours,
        theirs,
        subprocess.Popen(
            bubblewrap_view(["cat"], view, options=["--info-fd", str(theirs.fileno())]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[theirs.fileno()],
            process_group=0,
        ) as holder,
    ):
        theirs.close()  # what bubblewrap tells ends when its own end is closed
        stdin, stdout, stderr = holder.stdin, holder.stdout, holder.stderr
        assert stdin and stdout and stderr  # noqa: S101, PT018 - they are pipes
        with suppress(BrokenPipeError):  # it has ended; its stderr says why
            stdin.write(_ECHO)
            stdin.flush()
        if stdout.read(len(_ECHO)) != _ECHO:
            reason = stderr.read().decode(errors="replace").strip()
            raise TaskFailed(f"The sandbox could not be made: {reason}", code="job.sandbox_failed")
        yield Path("/proc", str(json.load(ours)["child-pid"]))


def _opened(process: Path) -> list[int]:
    """The namespaces of that process that are others than ours; the user's first, which gives the right to the rest."""
    return [
        os.open(process / "ns" / name, os.O_RDONLY | os.O_CLOEXEC)
        for name in ("user", "mnt")
        if (process / "ns" / name).readlink() != Path("/proc/self/ns", name).readlink()
    ]
