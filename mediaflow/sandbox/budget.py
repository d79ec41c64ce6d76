"""What a program may use at most, with all that it starts: looked at while it runs, so that it works on every machine.

Where groups of processes can be made, the kernel sees to the memory as well (`cgroups.py`).

A small file may ask for much: 221 KB of 8640 x 8640 pixels took ffmpeg to 3.3 GB of memory, and 30 such streams in
6.6 MB took ffprobe to 4.3 GB (measured). Limits of the kernel count one process (RLIMIT_DATA), or hang ffmpeg
(RLIMIT_AS); what is here counts the tree.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mediaflow.domain.errors import MediaRejected
from mediaflow.sandbox.cgroups import MemoryGroup, memory_group
from mediaflow.sandbox.usage import PROCESSES, Usage, written

LOOK_SECONDS: Final = 0.05
"""Between two looks; a program gets 100 MB of memory from the kernel in that time (measured)."""
BOUNDED_LOOK_SECONDS: Final = 0.5
"""The same where the kernel bounds the memory: twenty looks a second at two encoders took 9 % of a core (measured)."""
_DISK_SECONDS: Final = 1.0
_DISK_SHARE: Final = 20
"""So many times as long as a look at the disk took, nobody looks again: 80,000 files take 0.3 s."""
PROCESSES_AT_MOST: Final = 128
"""A step and its programs are five."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Resident bytes, processes and processor seconds of the whole tree; bytes and files below `directory`.

    Processor seconds are those that were seen: of a program in a sandbox of its own the last moments are not.
    """

    memory_bytes: int
    cpu_seconds: float
    directory: Path | None = None
    written_bytes: int = 0
    written_files: int = 0
    processes: int = PROCESSES_AT_MOST


@dataclass(slots=True)
class Meter:
    """Looks whether a program keeps to its budget, now and then where its memory is `bounded` by the kernel. `name` is
    how sentences call it.
    """

    name: str
    budget: Budget
    bounded: bool = False
    _looked: float = field(default=-1e9)
    _measure_at: float = field(default=-1e9)
    _spent: dict[int, float] = field(default_factory=dict)
    """The most processor seconds that each tree was seen with; one that is gone is in `_spent_before`."""
    _spent_before: float = 0.0
    _scratch_bytes: int = 0

    def check(self, pids: Sequence[int]) -> None:
        """Look at what descends from each of these, unless the last look was a moment ago.

        Raises MediaRejected `media.too_costly`.
        """
        now = time.monotonic()
        if now - self._looked >= (BOUNDED_LOOK_SECONDS if self.bounded else LOOK_SECONDS):
            self._looked = now
            self._check_tree(pids)
        if now >= self._measure_at:
            if self.budget.directory is not None:
                self._check_disk(self.budget.directory, pids)
            self._scratch_bytes = PROCESSES.scratch_bytes(*pids)
            ended = time.monotonic()
            self._measure_at = ended + max(_DISK_SECONDS, _DISK_SHARE * (ended - now))

    def _check_tree(self, pids: Sequence[int]) -> None:
        used, budget = {pid: PROCESSES.tree(pid) for pid in pids}, self.budget
        if sum(tree.memory_bytes for tree in used.values()) + self._scratch_bytes > budget.memory_bytes:
            raise _too_much_memory(self.name, budget)
        if sum(tree.processes for tree in used.values()) > budget.processes:
            raise self._over(f"more than {budget.processes} processes")
        if self._spent_seconds(used) > budget.cpu_seconds:
            raise self._over(f"more than {budget.cpu_seconds:.0f} s of processor time")

    def _spent_seconds(self, used: Mapping[int, Usage]) -> float:
        """Of these trees and of those that were there before: nobody collects what was in a sandbox that is gone."""
        for pid in self._spent.keys() - used.keys():
            self._spent_before += self._spent.pop(pid)
        for pid, tree in used.items():
            self._spent[pid] = max(self._spent.get(pid, 0.0), tree.cpu_seconds)
        return self._spent_before + sum(self._spent.values())

    def _check_disk(self, directory: Path, pids: Sequence[int]) -> None:
        size, files = written(directory, most_files=self.budget.written_files)
        size += PROCESSES.unlinked_bytes(*pids)
        if size > self.budget.written_bytes:
            raise self._over(f"more than {mebibytes(self.budget.written_bytes)} of disk")
        if files > self.budget.written_files:
            raise self._over(f"more than {self.budget.written_files} files")

    def check_made(self, size: int) -> None:
        """Look at how large the files are that are to be kept: those with holes take more room then, and a file with
        many names once for each. Raises MediaRejected `media.too_costly`.
        """
        if self.budget.directory is not None and size > self.budget.written_bytes:
            raise self._over(f"more than {mebibytes(self.budget.written_bytes)} of disk")

    def _over(self, what: str) -> MediaRejected:
        return _too_costly(self.name, what)


@contextmanager
def grouped(name: str, budget: Budget | None) -> Iterator[MemoryGroup | None]:
    """A group of processes with the budget's memory, where there can be one. MediaRejected `media.too_costly` at the
    end of the block when the kernel had to end one of them.
    """
    if budget is None:
        yield None
        return
    with memory_group(budget.memory_bytes) as group:
        yield group
        if group is not None and group.ran_out():
            raise _too_much_memory(name, budget)


def _too_much_memory(name: str, budget: Budget) -> MediaRejected:
    return _too_costly(name, f"more than {mebibytes(budget.memory_bytes)} of memory (MEDIAFLOW_TASK_MEMORY_BYTES)")


def _too_costly(name: str, what: str) -> MediaRejected:
    return MediaRejected(f"{name} took {what} for this file, and was ended.", code="media.too_costly")


def mebibytes(size: int) -> str:
    """A size for people."""
    return f"{size / 1024**2:.0f} MiB"
