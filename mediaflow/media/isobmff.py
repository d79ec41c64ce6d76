"""A short walk over ISO-BMFF boxes (ISO/IEC 14496-12), only to see whether a file's samples are encrypted.

ffmpeg shows an encrypted MP4 as ordinary H.264 and AAC, decodes garbage, and exits 0. The sample description tells: its
entries are called `encv` or `enca` (ISO/IEC 23001-7), or `drms` / `drmi` (older files of Apple's shop).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO, Final

_PATH: Final = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_PROTECTED: Final = frozenset((b"encv", b"enca", b"enct", b"encs", b"drms", b"drmi"))
_MAX_BOXES: Final = 100_000
"""More boxes than any honest file has on the way to its sample descriptions: an end for hostile ones."""


def has_protected_samples(source: Path) -> bool:
    """True when a sample description of the file is of an encrypted kind. A broken file is no error: False."""
    with source.open("rb") as file:
        end = file.seek(0, 2)
        return _Walk(file).protected(0, end, 0)


class _Walk:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._boxes = 0

    def protected(self, offset: int, end: int, depth: int) -> bool:
        """Look at the boxes from `offset` to `end`; only headers are read, whatever sizes they claim."""
        while offset + 8 <= end and self._boxes < _MAX_BOXES:
            self._boxes += 1
            kind, payload, after = self._box(offset, end)
            if after <= offset:
                return False
            if depth == len(_PATH):
                if kind in _PROTECTED:
                    return True
            elif kind == _PATH[depth]:
                # stsd is a full box: four bytes of version and flags, four of the number of entries
                inside = payload + 8 if kind == b"stsd" else payload
                if self.protected(inside, min(after, end), depth + 1):
                    return True
            offset = after
        return False

    def _box(self, offset: int, end: int) -> tuple[bytes, int, int]:
        """A box's type, where its payload begins, and where it ends."""
        self._file.seek(offset)
        header = self._file.read(16).ljust(16, b"\0")
        size, kind = struct.unpack(">I4s", header[:8])
        if size == 1:
            return kind, offset + 16, offset + int.from_bytes(header[8:], "big")
        return kind, offset + 8, end if size == 0 else offset + size
