"""A file that receives parts from several threads and processes, with a ledger of them behind its data.

Layout: `size` bytes of data, a slot for each part (who writes it, and whether it is done), a tail with size and part
size. The ledger shares the file with the data, so that one fdatasync makes a part and its mark durable.

A writer first puts its own token into the part's slot and looks before every block whether it still stands there: when
two write the same part, the one that began last wins and the other stops, so that the bytes are never mixed. Each look
and write is under a shared `flock`; taking a slot and completing are under an exclusive one. The name is looked at,
too: after the parts were completed or aborted no straggler can change the object.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from mediaflow.plugin import Busy, InvalidInput
from mediaflow_local.tree import write_all

_TOKEN_BYTES: Final = 16
_DONE: Final = b"\x01"
_SLOT_BYTES: Final = _TOKEN_BYTES + len(_DONE)
_TAIL: Final = struct.Struct("<QQ8s")
_MAGIC: Final = b"mfparts1"


class Gone(Exception):
    """The file has another name by now, or none."""


def prepare(descriptor: int, size_bytes: int, part_bytes: int) -> None:
    """Give a new file its length and its tail, and make it durable. It is sparse: what is announced takes no room."""
    length = size_bytes + -(-size_bytes // part_bytes) * _SLOT_BYTES + _TAIL.size
    os.ftruncate(descriptor, length)
    os.pwrite(descriptor, _TAIL.pack(size_bytes, part_bytes, _MAGIC), length - _TAIL.size)
    os.fsync(descriptor)


@dataclass(frozen=True, slots=True)
class Ledger:
    """An open file of parts: its descriptor, and its name in an open directory. OSError and Gone pass through."""

    descriptor: int
    name: str
    directory: int
    size_bytes: int
    part_bytes: int

    @property
    def part_count(self) -> int:
        """How many parts the object has."""
        return -(-self.size_bytes // self.part_bytes)

    @classmethod
    def of(cls, descriptor: int, name: str, directory: int) -> Ledger:
        """The ledger of an open file; Gone when it was completed just now."""
        length = os.fstat(descriptor).st_size
        tail = os.pread(descriptor, _TAIL.size, max(0, length - _TAIL.size))
        if len(tail) != _TAIL.size:
            raise Gone
        size_bytes, part_bytes, magic = _TAIL.unpack(tail)
        if magic != _MAGIC or part_bytes < 1:
            raise Gone
        return cls(descriptor, name, directory, size_bytes, part_bytes)

    def check(self, index: int, offset: int, length: int) -> None:
        """InvalidInput when the part does not lie where it must."""
        whole = 0 <= index < self.part_count and offset == index * self.part_bytes
        if not whole or length != self._length(index):
            raise InvalidInput(
                f"Part {index} can't be {length} bytes at {offset}: the object has {self.size_bytes} bytes in parts of "
                f"{self.part_bytes}.",
                code="storage.wrong_length",
            )

    def claim(self, index: int) -> bytes:
        """Become the part's writer, in place of any other; the answer proves it."""
        token = secrets.token_bytes(_TOKEN_BYTES)
        with self._locked(fcntl.LOCK_EX):
            write_all(self.descriptor, token + bytes(len(_DONE)), self._slot(index))
        return token

    def write(self, index: int, token: bytes, block: bytes, offset: int) -> None:
        """Write a block as the part's writer; Busy when somebody else became it."""
        with self._locked(fcntl.LOCK_SH):
            self._held(index, token)
            write_all(self.descriptor, block, offset)

    def finish(self, index: int, token: bytes) -> None:
        """Mark the part as done and make it durable, data and mark."""
        with self._locked(fcntl.LOCK_SH):
            self._held(index, token)
            write_all(self.descriptor, _DONE, self._slot(index) + _TOKEN_BYTES)
        os.fdatasync(self.descriptor)

    @contextmanager
    def complete(self) -> Iterator[list[int]]:
        """Nobody writes meanwhile. Gives the indexes of the parts that are not done."""
        with self._locked(fcntl.LOCK_EX):
            yield [index for index, mark in enumerate(self._marks()) if mark != _DONE[0]]

    def done(self) -> dict[int, int]:
        """The lengths of the parts that are done, by their indexes."""
        with self._locked(fcntl.LOCK_SH):
            return {index: self._length(index) for index, mark in enumerate(self._marks()) if mark == _DONE[0]}

    def _marks(self) -> bytes:
        slots = os.pread(self.descriptor, self.part_count * _SLOT_BYTES, self.size_bytes)
        return slots[_TOKEN_BYTES::_SLOT_BYTES]

    def _length(self, index: int) -> int:
        return min(self.part_bytes, self.size_bytes - index * self.part_bytes)

    def _slot(self, index: int) -> int:
        return self.size_bytes + index * _SLOT_BYTES

    def _held(self, index: int, token: bytes) -> None:
        if os.pread(self.descriptor, _TOKEN_BYTES, self._slot(index)) != token:
            raise Busy(f"Part {index} is written by somebody else now.", code="storage.part_busy")

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        fcntl.flock(self.descriptor, how)
        try:
            self._still_named()
            yield
        finally:
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    def _still_named(self) -> None:
        try:
            named = os.stat(self.name, dir_fd=self.directory, follow_symlinks=False)
        except FileNotFoundError:
            raise Gone from None
        if named.st_ino != os.fstat(self.descriptor).st_ino:
            raise Gone
