"""Reads: a range of one file in blocks, and listings in the order of keys."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from heapq import nsmallest
from typing import Final

from mediaflow.plugin import ObjectInfo, Unavailable
from mediaflow_local.errors import storage_errors
from mediaflow_local.tree import Tree

READ_BYTES: Final = 128 * 1024
"""Less than a storage may give at once: the web server keeps a block for each client that reads slowly."""
ENTRIES: Final = 20_000
"""So many of a directory are held at a time."""
_NAME: Final = re.compile(r"[A-Za-z0-9_%=@+-][A-Za-z0-9._%=@+-]*")


class FileBlocks(Iterator[bytes]):
    """The bytes from `position` to `end` of an open file, which it closes at the end or when it is dropped.

    An object that is replaced or deleted meanwhile is still read whole: the descriptor keeps its file.
    """

    def __init__(self, descriptor: int, position: int, end: int) -> None:
        self._descriptor: int | None = descriptor
        self._position, self._end = position, end

    def __next__(self) -> bytes:
        if self._descriptor is None or self._position >= self._end:
            self.close()
            raise StopIteration
        with storage_errors():
            block = os.pread(self._descriptor, min(READ_BYTES, self._end - self._position), self._position)
        if not block:
            self.close()
            raise Unavailable("An object's file was cut off while it was read.")
        self._position += len(block)
        return block

    def close(self) -> None:
        """Give the file back; calling it again does no harm."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


def objects(tree: Tree, prefix: str) -> Iterator[ObjectInfo]:
    """Every object whose key starts with `prefix`, in the order of the keys, one directory at a time."""
    directory, _, _ = prefix.rpartition("/")
    parts = directory.split("/") if directory else []
    if all(_NAME.fullmatch(part) for part in parts):
        yield from _walk(tree, parts, prefix)


def _walk(tree: Tree, parts: Sequence[str], prefix: str) -> Iterator[ObjectInfo]:
    after = ""
    while found := _entries(tree, parts, prefix, after):
        for after, info in found:
            if after.endswith("/"):
                yield from _walk(tree, after[:-1].split("/"), prefix)
            elif info is not None:
                yield info
        if len(found) < ENTRIES:
            return


def _entries(tree: Tree, parts: Sequence[str], prefix: str, after: str) -> list[tuple[str, ObjectInfo | None]]:
    """The next of what lies in one directory, sorted: files by their key, directories by theirs and a `/`.

    A directory of a million entries is read again and again, so that they are never all held.
    """
    above = "".join(f"{part}/" for part in parts)
    with storage_errors():
        try:
            with tree.directory(parts) as descriptor, os.scandir(descriptor) as scan:
                names = (above + name for entry in scan if (name := _name(entry)))
                wanted = (key for key in names if key > after and _is_below(key, prefix))
                first = nsmallest(ENTRIES, wanted)
                return [(key, _info(key, key.removeprefix(above), descriptor)) for key in first]
        except (FileNotFoundError, NotADirectoryError):
            return []  # removed since its parent was read, or never there


def _name(entry: os.DirEntry[str]) -> str | None:
    """Names that are no part of a key, as the staging area's, and anything but plain files are not ours."""
    if not _NAME.fullmatch(entry.name):
        return None
    if entry.is_dir(follow_symlinks=False):
        return entry.name + "/"
    return entry.name if entry.is_file(follow_symlinks=False) else None


def _is_below(key: str, prefix: str) -> bool:
    """True for a file that is asked for, and for a directory in which one may be."""
    return key.startswith(prefix) or (key.endswith("/") and prefix.startswith(key))


def _info(key: str, name: str, directory: int) -> ObjectInfo | None:
    if name.endswith("/"):
        return None
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None  # deleted since the directory was read
    return ObjectInfo(key, status.st_size, status.st_mtime)
