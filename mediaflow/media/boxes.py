"""Walks over the boxes of ISO-BMFF files (ISO/IEC 14496-12), within limits: those of small files that we made ourselves
(`cmaf.py`), and the index of a source (`sampletables.py`).

Media data is never read: a check costs the same for any bit rate, whatever sizes a header claims. `isobmff.py` looks at
whole sources, where a broken box is no error.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

MAX_BOXES: Final = 100_000
"""Top-level boxes of one file; a segment of a fragment for every frame has a few hundred."""
MAX_CHILDREN: Final = 10_000
"""Of one box; a film of a hundred tracks has as many in its index."""
MAX_HEADER_BYTES: Final = 8 * 1024 * 1024
"""All that is read of one file: ten seconds of any codec's fragments need some kilobytes."""


class BadBoxes(ValueError):
    """The file is not what it should be; the text says where."""


def top_level(path: Path, keep: tuple[bytes, ...], most_bytes: int = MAX_HEADER_BYTES) -> Iterator[tuple[bytes, bytes]]:
    """Type and body of each top-level box; the body is read for the types to `keep` only, else it is empty."""
    size = path.stat().st_size
    with path.open("rb") as file:
        for _, kind, body in placed(file, size, keep, most_bytes):
            yield kind, body


def placed(file: BinaryIO, size: int, keep: tuple[bytes, ...], most_bytes: int) -> Iterator[tuple[range, bytes, bytes]]:
    """The same of an open file of that size, each behind the bytes that it takes. Nothing but headers, and what is to
    `keep`, is read.
    """
    position, read = 0, 0
    for _ in range(MAX_BOXES):
        if position >= size:
            return
        file.seek(position)
        length, kind, start = _header(file.read(16), size - position)
        if not start <= length <= size - position:
            raise BadBoxes(f"the box {name_of(kind)} at byte {position} is cut off")
        body = b""
        if kind in keep:
            read += length
            if read > most_bytes:
                raise BadBoxes(f"its boxes of type {name_of(kind)} have more than {most_bytes} bytes")
            file.seek(position + start)
            body = file.read(length - start)
        yield range(position, position + length), kind, body
        position += length
    raise BadBoxes(f"it has more than {MAX_BOXES} boxes")


def boxes(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Type and body of every box in the data: at most `MAX_CHILDREN`."""
    for _ in range(MAX_CHILDREN):
        if not data:
            return
        length, kind, start = _header(data, len(data))
        if not start <= length <= len(data):
            raise BadBoxes(f"the box {name_of(kind)} is cut off")
        yield kind, data[start:length]
        data = data[length:]
    raise BadBoxes(f"a box has more than {MAX_CHILDREN} in it")


def children(data: memoryview, *path: bytes) -> Iterator[memoryview]:
    """The bodies of all boxes at that path of types below the data."""
    if not path:
        yield data
        return
    for kind, body in boxes(data):
        if kind == path[0]:
            yield from children(body, *path[1:])


def one(data: memoryview, *path: bytes) -> memoryview:
    """The body of the first box at that path."""
    for found in children(data, *path):
        return found
    raise BadBoxes(f"the box {b'/'.join(path).decode()} is missing")


def u32(data: memoryview | bytes, offset: int) -> int:
    """Four bytes as a number."""
    value: int = struct.unpack_from(">I", data, offset)[0]
    return value


def u32_behind_times(header: memoryview) -> int:
    """The number behind the times of creation and change: of `mvhd` and `mdhd` the timescale, of `tkhd` the track's id.
    Version 1 of these boxes has times of eight bytes.
    """
    return u32(header, 20 if header[0] else 12)


def track_id(trak: memoryview) -> int:
    """The number by which other boxes, and ffprobe, name a track."""
    return u32_behind_times(one(trak, b"tkhd"))


def handler(trak: memoryview) -> bytes:
    """What a track is: `vide`, `soun` or another."""
    return bytes(one(trak, b"mdia", b"hdlr")[8:12])


def name_of(kind: bytes) -> str:
    """A box's type for people."""
    return repr(kind.decode("latin1"))


def _header(data: bytes | memoryview, rest: int) -> tuple[int, bytes, int]:
    """Length, type and header size of the box that begins here; `rest` is how much there is in all."""
    if len(data) < 8:
        raise BadBoxes("a box header is cut off")
    length, kind = struct.unpack_from(">I4s", data)
    if length == 1 and len(data) >= 16:
        return struct.unpack_from(">Q", data, 8)[0], kind, 16
    return (rest if length == 0 else length), kind, 8
