"""Files of this machine that are not ours: found below a directory, and only read.

Names are absolute paths without their first `/`. No symbolic link is followed below what was named; hidden files and
directories are left alone, as file managers do.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from mediaflow.domain.errors import NotFound, Unavailable
from mediaflow.plugin import ObjectInfo

HERE: Final = "/"
"""The source of all of them."""
BLOCK_BYTES: Final = 1024 * 1024
_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
Skipped = Callable[[str, str], None]


class LocalFiles:
    """`mediaflow.plugin.OffersFiles` of this machine."""

    def files(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """All below a directory, or the one file of that name."""
        yield from walk(path_of(prefix), recursive=True, skipped=lambda _name, _why: None)

    def file(self, name: str) -> ObjectInfo | None:
        """The file as it is now; None when there is no (regular) file of that name."""
        try:
            status = path_of(name).lstat()
        except (OSError, ValueError):
            return None
        return _info(name, status) if stat.S_ISREG(status.st_mode) else None

    def read_file(self, name: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Its bytes. NotFound (`storage.no_object`) at once when there is none of that name."""
        try:
            file = os.open(path_of(name), _OPEN)
        except OSError as error:
            raise NotFound(f"The file can't be read ({error.strerror}).", code="storage.no_object") from error
        return _blocks(file, offset, length)


def path_of(name: str) -> Path:
    """The path of a name."""
    return Path(HERE + name)


def name_of(path: Path) -> str:
    """The name of an absolute path."""
    return str(path).removeprefix(HERE)


def walk(root: Path, *, recursive: bool, skipped: Skipped) -> Iterator[ObjectInfo]:
    """The regular files of a directory, those of a name's beginning together, and after them those of the directories
    in it; of a file itself. `skipped` hears of what is left out, and why. NotFound when the root can't be read.
    """
    try:
        root_status = root.stat()
        if stat.S_ISREG(root_status.st_mode):
            yield _info(name_of(root), root_status)
            return
        waiting, entries = [root], _entries(root)
    except OSError as error:
        raise NotFound(f"{root} can't be read ({error.strerror}).", code="import.no_folder") from error
    while waiting:
        directory = waiting.pop()
        if directory != root:
            entries = _listed(directory, skipped)
        below: list[Path] = []
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                below += [directory / entry.name] if recursive else []
            elif (found := _found(entry, skipped)) is not None:
                yield found
        waiting += reversed(below)


def _listed(directory: Path, skipped: Skipped) -> list[os.DirEntry[str]]:
    try:
        return _entries(directory)
    except OSError as error:
        skipped(name_of(directory), f"can't be read ({error.strerror})")
        return []


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    with os.scandir(directory) as entries:
        return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)


def _found(entry: os.DirEntry[str], skipped: Skipped) -> ObjectInfo | None:
    name = entry.path.removeprefix(HERE)
    try:
        name.encode()
        status = entry.stat(follow_symlinks=False)
    except UnicodeEncodeError:
        skipped(name.encode("utf-8", "replace").decode(), "has a name that is no UTF-8")
        return None
    except OSError as error:  # it went while we looked
        skipped(name, f"can't be read ({error.strerror})")
        return None
    if stat.S_ISREG(status.st_mode):
        return _info(name, status)
    skipped(name, "is a symbolic link" if stat.S_ISLNK(status.st_mode) else "is no file")
    return None


def _info(name: str, status: os.stat_result) -> ObjectInfo:
    return ObjectInfo(name, status.st_size, status.st_mtime)


def _blocks(file: int, offset: int, length: int | None) -> Iterator[bytes]:
    """Opened already, so that what is missing is known at the call."""
    try:
        left = length
        while left is None or left > 0:
            try:
                block = os.pread(file, BLOCK_BYTES if left is None else min(BLOCK_BYTES, left), offset)
            except OSError as error:
                raise Unavailable(f"The file can't be read ({error.strerror}).", code="storage.unreadable") from error
            if not block:
                return
            offset += len(block)
            left = None if left is None else left - len(block)
            yield block
    finally:
        os.close(file)
