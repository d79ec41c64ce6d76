"""What is copied is looked at whole: a browser's decoder gets it as it is (ITU-T H.264, ISO/IEC 14496-15)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from mediaflow.plugin import TaskFailed, WrittenTrack
from mediaflow_ffmpeg.jobs import INIT_NAME

KEPT: Final = (1, 5, 7, 8, 9)
"""Pictures, parameters and delimiters: nothing that telephones, cameras and editors write beside them."""
_PARAMETERS: Final = (7, 8)
_MOST_UNITS: Final = 256
"""Of a picture, in the mean of a segment; a picture of level 5.1 has at most so many slices in practice."""
_AVCC: Final = b"avcC"


def check_units(track: WrittenTrack) -> None:
    """All units of a track are of the kinds that are kept, whole, and change no parameters. TaskFailed
    (`job.bad_output`) says where one does not.
    """
    length_bytes, parameters = _configuration((track.directory / INIT_NAME).read_bytes())
    for position, segment in enumerate(track.segments):
        path = track.path(position)
        for count, unit in enumerate(_units(path.read_bytes(), length_bytes), 1):
            kind = unit[0] & 0x1F if unit else 0
            if kind not in KEPT or (kind in _PARAMETERS and bytes(unit) not in parameters):
                raise _bad(f"{path.name} has a unit of type {kind} that the others don't have")
            if count > _MOST_UNITS * segment.sample_count:
                raise _bad(f"{path.name} has more than {_MOST_UNITS} units a picture")


def _units(data: bytes, length_bytes: int) -> Iterator[memoryview]:
    """The units in the media data of a segment, one after the other."""
    at, view = 0, memoryview(data)
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8:
            raise _bad("a box is broken")
        if kind == b"mdat":
            yield from _split(view[at + 8 : at + size], length_bytes)
        at += size


def _split(body: memoryview, length_bytes: int) -> Iterator[memoryview]:
    at = 0
    while at < len(body):
        length = int.from_bytes(body[at : at + length_bytes])
        at += length_bytes
        if at + length > len(body):
            raise _bad("a unit is cut off")
        yield body[at : at + length]
        at += length


def _configuration(init: bytes) -> tuple[int, frozenset[bytes]]:
    """Bytes of the length before each unit, and the parameter sets (ISO/IEC 14496-15, 5.3.3.1)."""
    at = init.find(_AVCC)
    if at < 0:
        raise _bad("the init segment is not one of H.264")
    body, found, position = init[at + 4 :], set[bytes](), 6
    for many in (body[5] & 0x1F, None):
        if many is None:
            many, position = body[position], position + 1
        for _ in range(many):
            length = int.from_bytes(body[position : position + 2])
            found.add(body[position + 2 : position + 2 + length])
            position += 2 + length
    return (body[4] & 3) + 1, frozenset(found)


def _bad(detail: str) -> TaskFailed:
    return TaskFailed(f"What was copied can't be shown: {detail}.", code="job.bad_output")
