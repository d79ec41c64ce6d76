"""What a program and all that it started use at the moment, as /proc tells it: memory, processes, processor time.

Groups of processes with limits of their own (cgroups) belong to who runs the machine, and often can't be written; what
is here works for everybody, several times a second.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

SCRATCH: Final = ("/tmp", "/dev/shm")  # noqa: S108 - those of a sandbox
"""Places that are memory and that each sandbox has for itself."""
NAME_BYTES: Final = 1024
"""Of memory that an empty file takes there (measured: 0.9 KB)."""
FRESH_SECONDS: Final = 0.15
"""A look at all processes (2-4 ms) serves everybody who asks within this time."""
_GONE: Final = (errno.ENOENT, errno.ENOTDIR)
_HIDDEN: Final = (errno.EACCES, errno.ENAMETOOLONG)
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_STAT_BYTES: Final = 4096
"""More than 52 numbers and a name."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Resident bytes (pages that several processes share count for each), and seconds of processor time of all that
    live and of those that they collected.
    """

    memory_bytes: int = 0
    processes: int = 0
    cpu_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Process:
    """One of them."""

    parent: int
    memory_bytes: int
    cpu_seconds: float


@dataclass(slots=True)
class ProcessTable:
    """All processes of this machine, looked at anew when the last look is too old. Threads may share it."""

    _taken: float = 0.0
    _children: dict[int, list[int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def tree(self, *roots: int) -> Usage:
        """What processes and their descendants use; 0 when they are gone. A new one is seen `FRESH_SECONDS` late."""
        members = self.members(*roots)
        return Usage(
            sum(process.memory_bytes for process in members.values()),
            len(members),
            sum(process.cpu_seconds for process in members.values()),
        )

    def members(self, *roots: int) -> dict[int, Process]:
        """Processes and their descendants, by their numbers."""
        members, waiting = dict[int, Process](), [*roots]
        children = self._known()
        while waiting:
            pid = waiting.pop()
            if pid not in members and (process := _process(pid)) is not None:
                members[pid] = process
                waiting += children.get(pid, ())
        return members

    def unlinked_bytes(self, *roots: int) -> int:
        """The room of files without a name that processes hold open: they take it as long as they do."""
        held: dict[tuple[int, int], int] = {}
        for pid in self.members(*roots):
            with suppress(OSError):  # it is gone, or somebody else's
                for place in Path("/proc", str(pid), "fd").iterdir():
                    with suppress(OSError):
                        facts = place.stat()
                        if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 0:
                            held[facts.st_dev, facts.st_ino] = facts.st_blocks * 512
        return sum(held.values())

    def scratch_bytes(self, *roots: int) -> int:
        """What lies in the scratch places that processes see: memory that is no process's. Names take some too."""
        held: dict[int, int] = {}
        for pid in self.members(*roots):
            for place in SCRATCH:
                with suppress(OSError):  # it is gone, or somebody else's
                    path = f"/proc/{pid}/root{place}"
                    facts, device = os.statvfs(path), os.stat(path).st_dev  # noqa: PTH116 - twenty a second
                    if device != os.stat(place).st_dev:  # noqa: PTH116
                        files = facts.f_files - facts.f_ffree
                        held[device] = (facts.f_blocks - facts.f_bfree) * facts.f_frsize + files * NAME_BYTES
        return sum(held.values())

    def _known(self) -> dict[int, list[int]]:
        with self._lock:
            if time.monotonic() - self._taken > FRESH_SECONDS:
                children = defaultdict[int, list[int]](list)
                for name in os.listdir("/proc"):  # noqa: PTH208 - names, no paths
                    if name.isdecimal() and (process := _process(int(name))) is not None:
                        children[process.parent].append(int(name))
                self._children, self._taken = children, time.monotonic()
            return self._children


PROCESSES: Final = ProcessTable()
"""The one of this process."""


def _process(pid: int) -> Process | None:
    try:
        file = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:  # it is gone
        return None
    try:
        # one read has all of it, and costs a third of what a file object does: hundreds of these are read a second
        text = os.read(file, _STAT_BYTES)
    except OSError:
        return None
    finally:
        os.close(file)
    # proc(5): the name is in parentheses and may hold anything; `state` is the field after it, the third of all
    fields = text[text.rindex(b")") + 2 :].split()
    ticks = sum(int(fields[number - 3]) for number in (14, 15, 16, 17))
    return Process(int(fields[4 - 3]), int(fields[24 - 3]) * _PAGE_BYTES, ticks / _TICKS)


def written(directory: Path, *, most_files: int) -> tuple[int, int]:
    """The bytes (as they take room) and files below a directory; counting ends behind `most_files`. Links are not
    followed, and what goes away meanwhile does not count. What we can't look at counts as too many: who closes a
    directory (to whoever is not root), or makes paths that are too long to be opened, hides what is in it. OSError when
    we can't look for another reason.
    """
    size, count, waiting = 0, 0, [os.fspath(directory)]
    while waiting and count <= most_files:
        try:
            entries = os.scandir(waiting.pop())
        except OSError as error:
            if error.errno in _HIDDEN:
                return size, most_files + 1
            if error.errno in _GONE:
                continue
            raise
        with entries:
            for entry in entries:
                try:
                    facts = entry.stat(follow_symlinks=False)
                    is_directory = entry.is_dir(follow_symlinks=False)
                except OSError as error:
                    if error.errno in _HIDDEN:
                        return size, most_files + 1
                    if error.errno in _GONE:
                        continue
                    raise
                count += 1
                size += facts.st_blocks * 512
                if is_directory:
                    waiting.append(entry.path)
                if count > most_files:
                    break
    return size, count
