"""Objects that arrive in parts: one sparse file each, written in place, renamed when it is whole.

Room is taken by bytes that came, and by none that were only announced: else whoever announces much takes the disk from
all others without sending anything.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from mediaflow.plugin import InsufficientStorage, InvalidInput, Reception, exact_blocks
from mediaflow_local import ledger
from mediaflow_local.errors import no_parts, storage_errors
from mediaflow_local.ledger import Gone, Ledger
from mediaflow_local.staging import STAGING, new_file
from mediaflow_local.tree import Tree

_PARTS: Final = (STAGING, "parts")
_HANDLE: Final = re.compile(r"([0-9a-f]{16})-[0-9a-f]{32}")
# All parts are there and the file is about to get its name; it never goes back from here.
_SEALED: Final = ".sealed"
_BLOCK_BYTES: Final = 512
"""What `st_blocks` counts (stat(2)): the files are sparse."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The staging area for parts of one tree."""

    tree: Tree
    min_free_bytes: int = 0

    def begin(self, key: str, size_bytes: int, part_bytes: int) -> str:
        """Make the file; its name is the handle."""
        if size_bytes < 1 or part_bytes < 1:
            raise InvalidInput(f"{size_bytes} bytes can't come in parts of {part_bytes}.", code="storage.wrong_parts")
        handle = f"{_digest(key)}-{secrets.token_hex(16)}"
        with storage_errors(), self.tree.directory(_PARTS, create=True) as directory:
            descriptor = new_file(handle, directory)
            try:
                ledger.prepare(descriptor, size_bytes, part_bytes)
            except BaseException:
                os.unlink(handle, dir_fd=directory)
                raise
            finally:
                os.close(descriptor)
            os.fsync(directory)
        return handle

    def put(self, key: str, handle: str, index: int, blocks: Iterable[bytes], *, offset: int, length: int) -> None:
        """Write one part in place, durably; InsufficientStorage before less than `min_free_bytes` would be left."""
        try:
            with self._opened(key, handle) as opened:
                opened.check(index, offset, length)
                with storage_errors():
                    token = opened.claim(index)
                for block in exact_blocks(blocks, length):
                    with storage_errors():
                        self._check_room(opened, len(block))
                        opened.write(index, token, block, offset)
                    offset += len(block)
                with storage_errors():
                    opened.finish(index, token)
        except Gone:
            raise no_parts(key) from None

    def _check_room(self, opened: Ledger, count: int) -> None:
        """Looked at for each block: of many writers at once each can be wrong by the blocks of the others, not more."""
        disk = os.fstatvfs(opened.descriptor)
        if disk.f_bavail * disk.f_frsize - count < self.min_free_bytes:
            raise InsufficientStorage("The disk of the object store has no room for more uploads.")

    def complete(self, key: str, handle: str, receipts: Sequence[str], size_bytes: int) -> None:
        """Give the file its name. Gone when the parts were completed or aborted already."""
        _check_handle(key, handle)
        with suppress(Gone), self._opened(key, handle) as opened:
            if size_bytes != opened.size_bytes:
                raise _wrong(f"The parts make {opened.size_bytes} bytes, not {size_bytes}.")
            with storage_errors(), opened.complete() as missing:
                if missing or len(receipts) != opened.part_count:
                    raise _wrong(f"{len(receipts)} receipts came; parts without bytes: {missing[:10]}.")
                os.rename(handle, handle + _SEALED, src_dir_fd=opened.directory, dst_dir_fd=opened.directory)
        self._publish(key, handle + _SEALED, size_bytes)

    def _publish(self, key: str, sealed: str, size_bytes: int) -> None:
        """Cut the ledger off and give the file its name; a repeat after any crash goes on from where it stopped."""
        with storage_errors(), _gone_when_missing(), self.tree.directory(_PARTS) as directory:
            descriptor = self.tree.open_file((*_PARTS, sealed), os.O_RDWR)
            try:
                os.ftruncate(descriptor, size_bytes)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            self.tree.rename(directory, sealed, key.split("/"))
            os.fsync(directory)

    def abort(self, key: str, handle: str) -> None:
        """Remove the file, whatever state it is in."""
        if _is_of(key, handle):
            self._remove(handle)

    def _remove(self, handle: str) -> None:
        for name in (handle, handle + _SEALED):
            with storage_errors(), suppress(FileNotFoundError), self.tree.directory(_PARTS) as directory:
                os.unlink(name, dir_fd=directory)

    def parts_of(self, key: str, handle: str) -> dict[int, int] | None:
        """The lengths of the parts that are done. What is sealed has no ledger to tell them."""
        try:
            with self._opened(key, handle) as opened:
                return opened.done()
        except Gone:
            return {} if self._is_there(handle + _SEALED) else None

    def receptions(self) -> Iterator[Reception]:
        """One for each file, by its handle."""
        with storage_errors(), ExitStack() as stack, suppress(FileNotFoundError):
            for entry in stack.enter_context(os.scandir(stack.enter_context(self.tree.directory(_PARTS)))):
                handle = entry.name.removesuffix(_SEALED)
                with suppress(FileNotFoundError):
                    if _HANDLE.fullmatch(handle):
                        found = entry.stat(follow_symlinks=False)
                        yield Reception(handle, None, found.st_mtime, found.st_blocks * _BLOCK_BYTES)

    def discard(self, handle: str) -> None:
        """Remove the file of a handle that `receptions` told."""
        if _HANDLE.fullmatch(handle):
            self._remove(handle)

    def _is_there(self, name: str) -> bool:
        with storage_errors(), suppress(FileNotFoundError), self.tree.directory(_PARTS) as directory:
            os.stat(name, dir_fd=directory, follow_symlinks=False)
            return True
        return False

    @contextmanager
    def _opened(self, key: str, handle: str) -> Iterator[Ledger]:
        _check_handle(key, handle)
        with ExitStack() as stack:
            with storage_errors(), _gone_when_missing():
                directory = stack.enter_context(self.tree.directory(_PARTS))
                descriptor = os.open(handle, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
                stack.callback(os.close, descriptor)
                opened = Ledger.of(descriptor, handle, directory)
            yield opened


@contextmanager
def _gone_when_missing() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise Gone from None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def _is_of(key: str, handle: str) -> bool:
    """A handle names the key that it was made for: it can't be used for another."""
    match = _HANDLE.fullmatch(handle)
    return match is not None and match[1] == _digest(key)


def _check_handle(key: str, handle: str) -> None:
    if not _is_of(key, handle):
        raise no_parts(key)


def _wrong(detail: str) -> InvalidInput:
    return InvalidInput(detail, code="storage.wrong_parts")
