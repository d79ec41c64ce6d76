"""Where objects grow before they get a name: inside the root, so that a rename is atomic, and out of every listing."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from typing import Final

from mediaflow.plugin import exact_blocks
from mediaflow_local.errors import storage_errors
from mediaflow_local.tree import FILE_MODE, Tree, write_all

# Keys have no part that starts with a dot, so nothing here can be taken for an object.
STAGING: Final = ".mediaflow"
_TEMPORARY: Final = (STAGING, "tmp")
_NEW_FILE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# A temporary file is left over only by a process that died in the middle; nobody writes one for a day without a block.
_STALE_SECONDS: Final = 24 * 3600


def new_file(name: str, directory: int) -> int:
    """A descriptor of a new, empty file."""
    return os.open(name, _NEW_FILE, FILE_MODE, dir_fd=directory)


def store(tree: Tree, target: Sequence[str], blocks: Iterable[bytes], size_bytes: int) -> os.stat_result:
    """Write a temporary file, make it durable, then give it its name. Whatever is raised leaves nothing behind."""
    name = secrets.token_hex(16)
    with ExitStack() as stack:
        with storage_errors():
            directory = stack.enter_context(tree.directory(_TEMPORARY, create=True))
            descriptor = new_file(name, directory)
        stack.callback(os.close, descriptor)
        try:
            _fill(descriptor, exact_blocks(blocks, size_bytes))
            with storage_errors():
                tree.rename(directory, name, target)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=directory)
            raise
        return os.fstat(descriptor)


def _fill(descriptor: int, blocks: Iterable[bytes]) -> None:
    offset = 0
    for block in blocks:
        with storage_errors():
            write_all(descriptor, block, offset)
        offset += len(block)
    with storage_errors():
        os.fsync(descriptor)


def sweep(tree: Tree) -> None:
    """Remove temporary files of processes that died."""
    with suppress(FileNotFoundError), tree.directory(_TEMPORARY) as directory, os.scandir(directory) as scan:
        oldest = time.time() - _STALE_SECONDS
        for entry in scan:
            with suppress(FileNotFoundError):
                if entry.stat(follow_symlinks=False).st_mtime < oldest:
                    os.unlink(entry.name, dir_fd=directory)
