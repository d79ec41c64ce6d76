"""A mark in the environment of a program and of what it starts, in whatever session, so that all of it is ended."""

from __future__ import annotations

import os
import signal
import time
from typing import Final

MARK_VARIABLE: Final = "STEP_MARK"
"""The environment variable that `end_marked` looks for."""
NO_MARK: Final = "-" * 32
"""What a prepared process has there: room for a mark, which is 32 characters long."""
_ENVIRONMENT_BYTES: Final = 4 * 1024 * 1024
_ROUNDS_SECONDS: Final = 2.0


def end_marked(mark: str) -> None:
    """Kill every process whose environment has that mark: what a program started in sessions of their own.

    A process that is born while we look is found in the next round; only one that clears its environment escapes.
    """
    wanted = f"{MARK_VARIABLE}={mark}".encode()
    deadline = time.monotonic() + _ROUNDS_SECONDS
    while time.monotonic() < deadline:
        # plain calls: this looks at every process of the machine after each task, in less than half of pathlib's time
        if not sum(_kill_marked(name, wanted) for name in os.listdir("/proc") if name.isdecimal()):  # noqa: PTH208
            return
        time.sleep(0.01)


def _kill_marked(process: str, wanted: bytes) -> bool:
    try:
        if not _is_marked(process, wanted):
            return False
        handle = os.pidfd_open(int(process))
    except OSError:
        return False  # another user's, or gone
    try:
        # once more: its number may have gone to another process before there was a handle, which never does
        if not _is_marked(process, wanted):
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _is_marked(process: str, wanted: bytes) -> bool:
    file = os.open(f"/proc/{process}/environ", os.O_RDONLY)
    try:
        return wanted in os.read(file, _ENVIRONMENT_BYTES).split(b"\0")
    finally:
        os.close(file)
