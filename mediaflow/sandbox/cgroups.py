"""A group of processes whose memory the kernel bounds (cgroups(7), version 2 or 1), where such groups can be made.

They belong to who runs the machine: root has them, and a service to which they were delegated. Where they can't be made
the watch on budgets does without: it looks twenty times a second, and the kernel never looks away.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOUNTED: Final = Path("/sys/fs/cgroup")
SLACK_BYTES: Final = 128 * 1024**2
"""So much more than the budget: who grows slowly is ended by the watch, with figures."""
_EMPTY_SECONDS: Final = 2.0
"""How long the killed take to leave a group."""


@dataclass(frozen=True, slots=True)
class MemoryGroup:
    """A group, as its directory. Who writes 0 to `entry` is in it, with all that it starts."""

    directory: Path

    @property
    def entry(self) -> Path:
        """The file to write to."""
        return self.directory / "cgroup.procs"

    def ran_out(self) -> bool:
        """Whether the kernel ended a process of the group because the memory was used up."""
        for name in ("memory.events", "memory.oom_control"):
            with suppress(OSError):
                counts = dict(line.split() for line in (self.directory / name).read_text().splitlines())
                return int(counts.get("oom_kill", 0)) > 0
        return False


@contextmanager
def memory_group(budget_bytes: int) -> Iterator[MemoryGroup | None]:
    """A new group, which may have that much and `SLACK_BYTES`; gone after the block. None where there can be none."""
    directory = _made(budget_bytes + SLACK_BYTES)
    if directory is None:
        yield None
        return
    try:
        yield MemoryGroup(directory)
    finally:
        _remove(directory)


def _made(limit_bytes: int) -> Path | None:
    for parent, is_first_version in _parents(Path("/proc/self/cgroup").read_text(), MOUNTED):
        try:
            if not is_first_version and "memory" not in (parent / "cgroup.subtree_control").read_text().split():
                (parent / "cgroup.subtree_control").write_text("+memory")
            directory = Path(tempfile.mkdtemp(prefix="mediaflow-", dir=parent))
        except OSError:
            continue
        if _bounded(directory, limit_bytes, is_first_version):
            return directory
        _remove(directory)
    return None


def _parents(told: str, mounted: Path) -> Iterator[tuple[Path, bool]]:
    """Where a group could be made, by what /proc/self/cgroup tells, and whether that is the first version: below our
    own group, or in version 2 beside it, since a group there has processes or groups, not both.
    """
    for line in told.splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            yield mounted / "memory" / path.lstrip("/"), True
        if not controllers:
            own = mounted / path.lstrip("/")
            yield own, False
            if own != mounted:
                yield own.parent, False


def _bounded(directory: Path, limit_bytes: int, is_first_version: bool) -> bool:
    try:
        if is_first_version:
            (directory / "memory.limit_in_bytes").write_text(str(limit_bytes))
            _write_if_there(directory / "memory.memsw.limit_in_bytes", limit_bytes)
        else:
            (directory / "memory.max").write_text(str(limit_bytes))
            _write_if_there(directory / "memory.swap.max", 0)
    except OSError:
        return False
    return True


def _write_if_there(file: Path, value: int) -> None:
    with suppress(OSError):  # a kernel that does not count swap
        file.write_text(str(value))


def _remove(directory: Path) -> None:
    deadline = time.monotonic() + _EMPTY_SECONDS
    while True:
        try:
            directory.rmdir()
        except FileNotFoundError:
            return
        except OSError:  # the killed are still on their way
            if time.monotonic() > deadline:
                return
            time.sleep(0.01)
        else:
            return
