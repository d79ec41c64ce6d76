"""Users without a name, for sandboxes that root starts: each running task has its own, so that neither signals nor
limits, /proc nor files cross from one to another.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mediaflow.domain.errors import TaskFailed

FIRST_USER: Final = 60600
"""systemd's table of ranges (systemd.io/UIDS-GIDS) has 60578 to 61183 as unused; a container that maps 65536 users has
them too.
"""
USERS: Final = 256
LOCKS: Final = Path("/run/mediaflow-sandbox")


@dataclass(frozen=True, slots=True)
class SandboxUser:
    """A user and group of that number. `lock` is a file descriptor: whoever holds it open keeps the user."""

    number: int
    lock: int


@contextmanager
def borrowed_user(first: int) -> Iterator[SandboxUser]:
    """A user that no other sandbox of this machine has, for as long as the block runs and the lock is open elsewhere.

    Raises TaskFailed `job.sandbox_failed`.
    """
    user = _taken(first)
    try:
        yield user
    finally:
        os.close(user.lock)


def named_users(first: int) -> list[str]:
    """Names of the machine's users and groups that have a number in the range."""
    numbers = {str(number) for number in range(first, first + USERS)}
    rows = [line.split(":") for name in ("passwd", "group") for line in _lines(Path("/etc", name))]
    return sorted({row[0] for row in rows if len(row) > 2 and row[2] in numbers})


def _lines(path: Path) -> list[str]:
    return path.read_text(errors="replace").splitlines() if path.exists() else []


def _taken(first: int) -> SandboxUser:
    directory = _directory()
    try:
        for number in range(first, first + USERS):
            lock = os.open(str(number), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory)
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return SandboxUser(number, lock)
            os.close(lock)
    finally:
        os.close(directory)
    raise TaskFailed(f"All {USERS} users of the sandbox run something.", code="job.sandbox_failed")


def _directory() -> int:
    try:
        LOCKS.mkdir(mode=0o700, exist_ok=True)
        return os.open(LOCKS, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise TaskFailed(
            f"{LOCKS} can't be made ({error.strerror}); as root mediaflow keeps locks there. Let it be written to, or"
            " start mediaflow as an ordinary user.",
            code="job.sandbox_failed",
        ) from error
