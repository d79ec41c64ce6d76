"""How busy this machine is, and what a program takes of it, with all that it starts, in sandboxes, too."""

from __future__ import annotations

import os
import statistics
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

TICKS: Final = os.sysconf("SC_CLK_TCK")
_MOUNTS: Final = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
_UNIFIED: Final = next((place for place in _MOUNTS if (place / "cgroup.procs").exists()), None)
_AT_WORK: Final = 0.1
"""Of a core: what takes less waits for something."""


@dataclass
class Cores:
    """The share of its time that the cores were busy, sampled each second while work waited."""

    shares: list[float] = field(default_factory=list)

    @property
    def mean(self) -> float:
        return statistics.mean(self.shares)

    def sample(self, work_waits: Callable[[], bool], ended: threading.Event) -> None:
        before = _jiffies()
        while not ended.wait(1.0):
            after = _jiffies()
            if work_waits():
                total = after[0] - before[0]
                self.shares.append((after[1] - before[1]) / total if total else 0.0)
            before = after


@contextmanager
def sampled(work_waits: Callable[[], bool]) -> Iterator[Cores]:
    """Samples the cores until the block ends."""
    cores, ended = Cores(), threading.Event()
    thread = threading.Thread(target=cores.sample, args=(work_waits, ended))
    thread.start()
    try:
        yield cores
    finally:
        ended.set()
        thread.join()


@dataclass
class Encoders:
    """How many encoders took processor time at once, sampled each second; those that are there at both ends of it."""

    counts: list[int] = field(default_factory=list)

    def sample(self, ended: threading.Event) -> None:
        before = _encoder_ticks()
        while not ended.wait(1.0):
            after = _encoder_ticks()
            busy = [pid for pid, ticks in after.items() if ticks - before.get(pid, ticks) > TICKS * _AT_WORK]
            self.counts.append(len(busy))
            before = after


@contextmanager
def encoders() -> Iterator[Encoders]:
    """Samples the encoders until the block ends."""
    found, ended = Encoders(), threading.Event()
    thread = threading.Thread(target=found.sample, args=(ended,))
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def _encoder_ticks() -> dict[int, int]:
    """Processor time of each process that is called ffmpeg."""
    found = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it is gone
            name, _, rest = place.read_text().partition("(")[2].rpartition(")")
            if name == "ffmpeg":
                fields = rest.split()
                found[int(place.parent.name)] = int(fields[11]) + int(fields[12])
    return found


@contextmanager
def metered() -> Iterator[Callable[[], float]]:
    """What is started in the block is in a group of processes; the answer tells the seconds of a core that it took so
    far. Where no group can be made these are all processes of this machine, and nothing else may run on it.
    """
    group = _group()
    if group is None or _UNIFIED is None:
        yield lambda: _jiffies()[1] / TICKS
        return
    inner = group / "main"  # groups that the service makes for its steps are beside it, and counted with it
    inner.mkdir()
    before = Path(f"/proc/{os.getpid()}/cgroup").read_text().rsplit("0::", 1)[1].strip().strip("/")
    (inner / "cgroup.procs").write_text(str(os.getpid()))
    try:
        yield lambda: int((group / "cpu.stat").read_text().split()[1]) / 1e6
    finally:
        (_UNIFIED / before / "cgroup.procs").write_text(str(os.getpid()))
        for place in (*group.glob("*/"), group):
            with suppress(OSError):  # something in it has not ended yet
                place.rmdir()


def _group() -> Path | None:
    """A new one (cgroups(7), version 2), which counts processor time whatever controllers there are."""
    try:
        return None if _UNIFIED is None else Path(tempfile.mkdtemp(prefix="bench-", dir=_UNIFIED))
    except OSError:
        return None


def _jiffies() -> tuple[int, int]:
    """All and busy, of all cores; waiting for a disk is not busy."""
    numbers = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(numbers), sum(numbers) - numbers[3] - numbers[4]
