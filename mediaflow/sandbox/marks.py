"""A mark in the environment of a program and of what it starts, in whatever session, so that all of it is ended."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Final

MARK_VARIABLE: Final = "STEP_MARK"
"""The environment variable that `end_marked` looks for."""
NO_MARK: Final = "-" * 32
"""What a prepared process has there: room for a mark, which is 32 characters long."""
_ROUNDS_SECONDS: Final = 2.0


def end_marked(mark: str) -> None:
    """Kill every process whose environment has that mark: what a program started in sessions of their own.

    A process that is born while we look is found in the next round; only one that clears its environment escapes.
    """
    wanted = f"{MARK_VARIABLE}={mark}".encode()
    deadline = time.monotonic() + _ROUNDS_SECONDS
    while time.monotonic() < deadline:
        if not sum(_kill_marked(path, wanted) for path in Path("/proc").glob("[0-9]*")):
            return
        time.sleep(0.01)


def _kill_marked(path: Path, wanted: bytes) -> bool:
    try:
        # the handle before the look: the number may go to another process at any time, the handle cannot
        handle = os.pidfd_open(int(path.name))
    except OSError:
        return False
    try:
        if wanted not in (path / "environ").read_bytes().split(b"\0"):
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except OSError:
        return False  # another user's, or gone
    finally:
        os.close(handle)
    return True
