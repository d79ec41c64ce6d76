"""Reads: a range of one file in blocks, and listings in the order of keys."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Final

from mediaflow.plugin import ObjectInfo, Unavailable
from mediaflow_local.errors import storage_errors
from mediaflow_local.tree import Tree

READ_BYTES: Final = 128 * 1024
"""Less than a storage may give at once: the web server keeps a block for each client that reads slowly."""
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
    for sort_key, found in sorted(_entries(tree, parts), key=itemgetter(0)):
        if found is None and (sort_key.startswith(prefix) or prefix.startswith(sort_key)):
            yield from _walk(tree, sort_key[:-1].split("/"), prefix)
        elif found is not None and sort_key.startswith(prefix):
            yield found


def _entries(tree: Tree, parts: Sequence[str]) -> list[tuple[str, ObjectInfo | None]]:
    """What lies in one directory: files with their key, directories with theirs and a `/`, as which they sort.

    Names that are no part of a key, as the staging area's, and anything but plain files are not ours.
    """
    with storage_errors():
        try:
            with tree.directory(parts) as descriptor, os.scandir(descriptor) as scan:
                entries = [entry for entry in scan if _NAME.fullmatch(entry.name)]
                found = [_entry("/".join((*parts, entry.name)), entry) for entry in entries]
        except (FileNotFoundError, NotADirectoryError):
            return []  # removed since its parent was read, or never there
    return [entry for entry in found if entry is not None]


def _entry(key: str, entry: os.DirEntry[str]) -> tuple[str, ObjectInfo | None] | None:
    if entry.is_dir(follow_symlinks=False):
        return key + "/", None
    if not entry.is_file(follow_symlinks=False):
        return None
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None  # deleted since the directory was read
    return key, ObjectInfo(key, status.st_size, status.st_mtime)
