"""Directories that change hands between us and a sandbox's user, and trees of files that a stranger made.

What is in such a directory was chosen by whoever wrote there: no symbolic link is followed, and neither depth nor modes
stop us. Nobody writes there any more when these are called.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO, Final

import structlog

_log = structlog.get_logger("mediaflow.sandbox")
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def give(directory: Path, user: int) -> None:
    """Make a directory, and all that is in it, that user's and group's."""
    os.chown(directory, user, user, follow_symlinks=False)
    below = [str(directory)]
    while below:
        with os.scandir(below.pop()) as entries:
            for entry in entries:
                os.chown(entry.path, user, user, follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    below.append(entry.path)


def let_read(path: Path) -> None:
    """Let everybody read a file or a directory of ours, who can get there: no other user can, but a sandbox's."""
    status = path.stat()
    wanted = 0o755 if stat.S_ISDIR(status.st_mode) else 0o044
    if status.st_mode & wanted != wanted:
        path.chmod(stat.S_IMODE(status.st_mode) | wanted)


def open_made(directory: Path, path: str) -> IO[bytes]:
    """Open a file that a stranger made below the directory: no link is followed on the way, and it is a file.

    Raises OSError.
    """
    *above, name = Path(path).parts
    place = os.open(directory, _DIRECTORY)
    try:
        for part in above:
            below = os.open(part, _DIRECTORY, dir_fd=place)
            os.close(place)
            place = below
        # O_NONBLOCK: opening a named pipe must not wait for a writer
        file = os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place), "rb")
    finally:
        os.close(place)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise FileNotFoundError(errno.ENOENT, "it is no file", path)
    return file


def remove_tree(directory: Path) -> None:
    """Remove a directory with all that is in it; nothing when it is not there, a warning when it can't be done.

    Unlike `shutil.rmtree` it does not recurse, so that no depth ends it (a thousand directories in one another do), and
    it opens what is closed to its own owner.
    """
    try:
        parent = os.open(directory.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            top = _opened(directory.name, parent)
            try:
                _empty(top)
            finally:
                os.close(top)
            os.rmdir(directory.name, dir_fd=parent)
        finally:
            os.close(parent)
    except FileNotFoundError:
        return
    except OSError as error:
        _log.warning("directory not removed", directory=str(directory), error=str(error))


def _empty(top: int) -> None:
    """Each directory is emptied in its turn: those below it are moved up to the top first, to be next."""
    moved = 0
    _remove_files(top)
    while names := os.listdir(top):
        for name in names:
            place = _opened(name, top)
            try:
                _remove_files(place)
                for below in os.listdir(place):  # noqa: PTH208 - a file descriptor
                    os.close(_opened(below, place))  # to be moved it must be writable
                    moved = _move_up(below, place, top, moved)
            finally:
                os.close(place)
            os.rmdir(name, dir_fd=top)


def _opened(name: str, parent: int) -> int:
    """A handle of a directory that we can read and change; root can anyway."""
    if os.geteuid() != 0 and os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode & 0o700 != 0o700:
        os.chmod(name, 0o700, dir_fd=parent)
    return os.open(name, _DIRECTORY, dir_fd=parent)


def _remove_files(place: int) -> None:
    with os.scandir(place) as entries:
        for name in [entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)]:
            os.unlink(name, dir_fd=place)


def _move_up(name: str, place: int, top: int, moved: int) -> int:
    """Move a directory there under a number that nothing has, and return the number."""
    while True:
        moved += 1
        try:
            os.rename(name, f"{moved}.moved", src_dir_fd=place, dst_dir_fd=top)
        except OSError:  # the stranger took that name
            if moved > 1_000_000:
                raise
        else:
            return moved
