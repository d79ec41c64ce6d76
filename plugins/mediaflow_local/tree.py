"""Files below one root, reached directory by directory through file descriptors: no symbolic link is ever followed.

Raises OSError as the operating system does. Files have mode 0600, directories 0700.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
FILE_MODE: Final = 0o600
_DIRECTORY_MODE: Final = 0o700
# A directory that was just made may be pruned by a deletion before a file gets there: then it is made again.
_RENAME_ATTEMPTS: Final = 16


@dataclass(frozen=True, slots=True)
class Tree:
    """The directory tree of a storage. The root itself is the operator's choice and may be a link."""

    root: Path

    @contextmanager
    def directory(self, parts: Sequence[str], *, create: bool = False) -> Iterator[int]:
        """A descriptor of the directory; with `create`, missing ones are made durably."""
        descriptor = self._descend(parts, create=create)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _descend(self, parts: Sequence[str], *, create: bool) -> int:
        if create:
            self.root.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        try:
            descriptor = os.open(self.root, _DIRECTORY)
        except NotADirectoryError:  # not an answer about the key, as it would be further down
            raise OSError(errno.ENXIO, "it is no directory") from None
        for part in parts:
            try:
                below = _open_directory(part, descriptor, create=create)
            finally:
                os.close(descriptor)
            descriptor = below
        return descriptor

    def open_file(self, parts: Sequence[str], flags: int) -> int:
        """A descriptor of an existing regular file; FileNotFoundError for anything else at that place."""
        with self.directory(parts[:-1]) as parent:
            # O_NONBLOCK: opening a named pipe, which is no object, must not wait for a writer
            descriptor = os.open(parts[-1], flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FileNotFoundError
        return descriptor

    def rename(self, source_directory: int, name: str, target: Sequence[str]) -> None:
        """Move a file to its place, replacing a file there, durably. FileNotFoundError when the source is missing."""
        for attempt in range(_RENAME_ATTEMPTS):
            try:
                with self.directory(target[:-1], create=True) as parent:
                    os.rename(name, target[-1], src_dir_fd=source_directory, dst_dir_fd=parent)
                    os.fsync(parent)
                return
            except FileNotFoundError:
                os.stat(name, dir_fd=source_directory, follow_symlinks=False)
                if attempt == _RENAME_ATTEMPTS - 1:
                    raise

    def remove(self, parts: Sequence[str]) -> None:
        """Unlink a file and the directories that this leaves empty; nothing when it is not there or no file."""
        with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            with self.directory(parts[:-1]) as parent:
                os.unlink(parts[-1], dir_fd=parent)
            self.prune(parts[:-1])

    def prune(self, parts: Sequence[str]) -> None:
        """Remove the directory and its parents as far as they are empty."""
        for depth in range(len(parts), 0, -1):
            try:
                with self.directory(parts[: depth - 1]) as parent:
                    os.rmdir(parts[depth - 1], dir_fd=parent)
            except OSError:  # not empty, or removed by somebody else: neither is ours to mend
                return


def _open_directory(name: str, parent: int, *, create: bool) -> int:
    flags = _DIRECTORY | os.O_NOFOLLOW
    try:
        return os.open(name, flags, dir_fd=parent)
    except FileNotFoundError:
        if not create:
            raise
    with suppress(FileExistsError):
        os.mkdir(name, _DIRECTORY_MODE, dir_fd=parent)
    os.fsync(parent)
    return os.open(name, flags, dir_fd=parent)


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of it at that place: one call may write less than it is given."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
