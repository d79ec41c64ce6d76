"""A local copy of an object, of which those blocks are fetched that somebody needs, each once.

Several processes of a machine share it. Beside the copy, which has the object's length and holes, lies a record with a
byte for each block: 1 when it is there. A block is written, and flushed to the disk, before it is recorded, so that
neither a process that dies nor a machine leaves a hole that counts as filled. Who fetches blocks holds a lock on their
bytes of the record meanwhile, which ends with its process: others may fetch others, and wait for these.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any, BinaryIO, Final

from mediaflow.domain.errors import TaskFailed
from mediaflow.plugin import Storage
from mediaflow.services.originals.places import OriginalFiles

BLOCK_BYTES: Final = 256 * 1024
AT_ONCE_BYTES: Final = 32 * 1024 * 1024
"""So much is fetched under one lock: who needs a part of it waits for no more, and who dies loses no more."""
_THERE: Final = b"\1"
_BUFFER_BYTES: Final = 64 * 1024


@dataclass(slots=True)
class SparseCopy:
    """An open copy, by which `fetched_bytes` came. What is read of it before `ensure` of that range is nothing."""

    storage: Storage | OriginalFiles
    key: str
    size_bytes: int
    _data: int
    _record: int
    fetched_bytes: int = 0

    @classmethod
    @contextmanager
    def opened(
        cls, storage: Storage | OriginalFiles, key: str, data: Path, record: Path, size_bytes: int
    ) -> Iterator[SparseCopy]:
        """The copy in `data` and its `record`, made when they are not there. Only one process may open a copy at a
        time; any number may then have it open.
        """
        if not data.exists() or data.stat().st_size != size_bytes:
            record.unlink(missing_ok=True)  # first: a record without its copy would tell of what is not there
            data.unlink(missing_ok=True)
        files = [os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600) for path in (data, record)]
        try:
            os.ftruncate(files[0], size_bytes)
            os.ftruncate(files[1], -(-size_bytes // BLOCK_BYTES))
            yield cls(storage, key, size_bytes, *files)
        finally:
            for file in files:
                os.close(file)

    @property
    def is_whole(self) -> bool:
        """True when all of it is there."""
        return not any(True for _ in self._missing(0, self._blocks))

    @property
    def _blocks(self) -> int:
        return -(-self.size_bytes // BLOCK_BYTES)

    def ensure(self, places: Iterable[range]) -> None:
        """Fetch what of these bytes is not there yet. TaskFailed (`storage.short_read`) when the object is shorter than
        it was; what reading from the storage raises passes through.
        """
        each = AT_ONCE_BYTES // BLOCK_BYTES
        for place in places:
            begin, end = place.start // BLOCK_BYTES, -(-min(place.stop, self.size_bytes) // BLOCK_BYTES)
            for run in list(self._missing(begin, end)):
                for first in range(run.start, run.stop, each):
                    self._fetch(range(first, min(run.stop, first + each)))

    def ensure_all(self) -> None:
        """Fetch all that is not there yet."""
        self.ensure([range(self.size_bytes)])

    def file(self) -> BinaryIO:
        """The object as a file, of which what is read is fetched first."""
        return BufferedReader(_FetchedFile(self), _BUFFER_BYTES)

    def read(self, position: int, length: int) -> bytes:
        """Bytes of the object, fetched first."""
        self.ensure([range(position, position + length)])
        return os.pread(self._data, length, position)

    def _missing(self, begin: int, end: int) -> Iterator[range]:
        """The runs of blocks that are not there."""
        record = os.pread(self._record, max(0, end - begin), begin)
        at = record.find(b"\0")
        while at >= 0:
            stop = record.find(_THERE, at)
            stop = len(record) if stop < 0 else stop
            yield range(begin + at, begin + stop)
            at = record.find(b"\0", stop)

    def _fetch(self, blocks: range) -> None:
        with self._locked(blocks):
            for run in list(self._missing(blocks.start, blocks.stop)):  # another may have fetched them meanwhile
                begin, end = run.start * BLOCK_BYTES, min(run.stop * BLOCK_BYTES, self.size_bytes)
                self._write(begin, end)
                os.fdatasync(self._data)
                os.pwrite(self._record, _THERE * len(run), run.start)
                self.fetched_bytes += end - begin

    def _write(self, begin: int, end: int) -> None:
        position = begin
        for block in self.storage.read(self.key, offset=begin, length=end - begin):
            rest = memoryview(block)
            while rest:
                written = os.pwrite(self._data, rest, position)
                position, rest = position + written, rest[written:]
        if position != end:
            raise TaskFailed(
                f"{position - begin} of {end - begin} bytes of the original arrived.", code="storage.short_read"
            )

    @contextmanager
    def _locked(self, blocks: range) -> Iterator[None]:
        """Alone with these blocks. The lock is the open file's, so that threads exclude one another, too."""
        self._lock(fcntl.F_WRLCK, blocks)
        try:
            yield
        finally:
            self._lock(fcntl.F_UNLCK, blocks)

    def _lock(self, kind: int, blocks: range) -> None:
        # struct flock of 64-bit Linux: l_type, l_whence, l_start, l_len, l_pid
        asked = struct.pack("hhqqi4x", kind, os.SEEK_SET, blocks.start, len(blocks), 0)
        fcntl.fcntl(self._record, fcntl.F_OFD_SETLKW, asked)


class _FetchedFile(RawIOBase):
    """Reads of a copy what it fetches first."""

    def __init__(self, copy: SparseCopy) -> None:
        super().__init__()
        self._copy, self._position = copy, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._copy.size_bytes}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        data = self._copy.read(self._position, min(len(buffer), max(0, self._copy.size_bytes - self._position)))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
