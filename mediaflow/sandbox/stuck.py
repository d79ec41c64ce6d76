"""Sandboxes that were begun by a process that is dead, and wait for it for ever.

bubblewrap's first process in the sandbox waits to be told that it is set up, before it asks to die with its parent
(0.8.0; seen twice in 480 kills of workers). It keeps its user's lock, so that nobody else gets that user.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from mediaflow.sandbox.users import LOCKS

OLD_SECONDS: Final = 10.0
"""A sandbox is set up in milliseconds; so much later it will not be."""
_PROC: Final = Path("/proc")
_INIT: Final = 1
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def end_stuck_sandboxes(old_seconds: float = OLD_SECONDS) -> list[int]:
    """Kill them, and answer with their numbers. Only root keeps locks; others find none."""
    if os.geteuid() != 0:
        return []
    found = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal() and _is_stuck(entry, old_seconds)]
    for number in found:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    return found


def _is_stuck(process: Path, old_seconds: float) -> bool:
    """Whether it is a bubblewrap without parent and child, first in its own namespace, that holds a lock of ours."""
    try:
        if (process / "comm").read_text(encoding="utf-8").strip() != "bwrap":
            return False
        told = dict(line.split(":", 1) for line in (process / "status").read_text(encoding="utf-8").splitlines())
        began = int((process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]) / _TICKS
        is_first = told["NSpid"].split()[1:] == ["1"]
        is_alone = int(told["PPid"]) == _INIT and not (process / "task" / process.name / "children").read_text()
        is_old = time.clock_gettime(time.CLOCK_BOOTTIME) - began >= old_seconds
        return is_first and is_alone and is_old and any(_is_lock(file) for file in (process / "fd").iterdir())
    except (OSError, LookupError, ValueError):  # it has ended meanwhile
        return False


def _is_lock(file: Path) -> bool:
    return file.readlink().parent == LOCKS
