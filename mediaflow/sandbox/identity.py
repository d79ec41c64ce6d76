"""Who a process is, so that no other one is ever taken for it: not one that got its number, nor one of another machine
or container with the same host name.
"""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_PROC: Final = Path("/proc")
_NAME: Final = re.compile(r"(?P<host>.*):(?P<pid>\d+):(?P<start>\d+)@(?P<place>[\w.-]+)", re.DOTALL)
_STATE, _START = 0, 19
"""Of /proc/PID/stat behind the name in brackets (proc(5): fields 3 and 22)."""
_DEAD: Final = ("Z", "X", "x")


@dataclass(frozen=True, slots=True)
class Identity:
    """A process. `place` is a boot of a kernel and a namespace of process numbers in it: whoever is in the same one can
    tell whether it lives. `start` is when it began, in clock ticks after the boot.
    """

    host: str
    pid: int
    start: int
    place: str

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}:{self.start}@{self.place}"

    @classmethod
    def parsed(cls, name: str) -> Self | None:
        """What `str` has written; None for anything else."""
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        return cls(found["host"], int(found["pid"]), int(found["start"]), found["place"])

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """A process of ours; None where the system does not tell, or tells of another namespace than ours."""
        try:
            if (_PROC / "self").readlink().name != str(os.getpid()):  # somebody else's /proc
                return None
            boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
            namespace = (_PROC / "self/ns/pid").stat().st_ino
            fields = _fields(pid)
        except OSError:
            return None
        return cls(socket.gethostname(), pid, int(fields[_START]), f"{boot}.{namespace}")

    def sees_the_end_of(self, name: str | None) -> bool:
        """Whether the process of that name is dead for certain; of other places than its own it can not be told."""
        other = Identity.parsed(name or "")
        return other is not None and other.place == self.place and other.has_ended()

    def has_ended(self) -> bool:
        """Whether the process is dead for certain. To be asked in its own place only."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass  # another user's, which this /proc may hide
        try:
            fields = _fields(self.pid)
        except OSError:
            return False
        return fields[_STATE] in _DEAD or int(fields[_START]) != self.start


def shown_worker(name: str) -> str:
    """A worker's name for people: its host and number."""
    worker = Identity.parsed(name)
    return name if worker is None else f"{worker.host}:{worker.pid}"


def _fields(pid: int) -> list[str]:
    return (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
