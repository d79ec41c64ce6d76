"""Where an H.264 film can be cut without encoding it: its groups of pictures, each closed.

Looked at are the index of an MP4 or MOV and, in the file itself, the first bytes of every picture that the index calls
a key frame: only after an IDR picture (ITU-T H.264, 7.4.1.2.4) does nothing refer to what was before it.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil
from operator import ge
from pathlib import Path
from typing import BinaryIO, Final

from mediaflow.domain.media import PictureGroups
from mediaflow.media.boxes import BadBoxes, boxes, children, one
from mediaflow.media.h264 import shows_frames
from mediaflow.media.sampletables import (
    MOST_SAMPLES,
    Track,
    track_of,
    words_of,
)

IDR: Final = 5
_UPRIGHT: Final = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_PROFILES: Final = (66, 77, 100)
"""Baseline, Main and High: what every player has."""
_HIGHEST_LEVEL: Final = 51
_BESIDE: Final = (6, 9)
"""Units before a picture that say nothing that other pictures need: messages, delimiters."""
_PARAMETERS: Final = (7, 8)
MOST_KEYS: Final = 20_000
"""Of five hours and more with one a second: their beginnings are read one by one."""
LEAST_SECONDS: Final = Fraction(1, 2)
"""Shorter groups are one with those that follow: no segment is as short."""
_MOST_UNITS: Final = 64
"""Before a picture."""
_MOST_PARAMETER_BYTES: Final = 4096
_VISUAL_ENTRY: Final = 78
"""Bytes of a visual sample entry before its boxes (ISO/IEC 14496-12, 12.1.3)."""


def picture_groups(source: Path, trak: memoryview, scale: int, share: int) -> PictureGroups:
    """Those of one of the file's tracks of pictures. BadBoxes where it has none that begin with IDR pictures and are
    shown without a gap, one after the other, under parameters that never change. `share`: of what is read of a file's
    index, this is one of so many parts.
    """
    if bytes(one(trak, b"tkhd")[-44:-8]) != _UPRIGHT:
        raise BadBoxes("the picture is turned or mirrored")
    length_bytes, parameters = _configuration(trak)
    track = track_of(trak, scale, source.stat().st_size, MOST_SAMPLES // share, heard=False)
    count = len(track.shown)
    told = next(children(trak, b"mdia", b"minf", b"stbl", b"stss"), None)
    # nothing told: each is one
    keys = range(count) if told is None else [number - 1 for number in words_of(told, 1, count)]
    if not keys or keys[0] != 0 or keys[-1] >= count or any(map(ge, keys, keys[1:])) or len(keys) > MOST_KEYS // share:
        raise BadBoxes("the film does not begin with a key frame, or its key frames are not those of a film")
    with source.open("rb") as file:
        closed = [key for key in keys if _is_idr(file, track, key, length_bytes, parameters)]
    begins = _far_apart(closed, ceil(LEAST_SECONDS * track.timescale / max(1, track.longest)))
    if begins[:1] != [0]:
        raise BadBoxes("the film does not begin with an IDR picture")
    edges = [*begins, count]
    _check_times(track, edges)
    sizes = [track.ends[after] - track.ends[before] for before, after in pairwise(edges)]
    return PictureGroups(tuple(begins), tuple(sizes), count, Fraction(track.timescale, track.longest))


def _far_apart(keys: Sequence[int], frames: int) -> list[int]:
    """Those of which each is so many frames behind the one before."""
    kept: list[int] = []
    for key in keys:
        if not kept or key - kept[-1] >= frames:
            kept.append(key)
    return kept


def _configuration(trak: memoryview) -> tuple[int, frozenset[bytes]]:
    """Bytes of the length before each unit, and the parameter sets (ISO/IEC 14496-15, 5.3.3.1)."""
    entries = list(boxes(one(trak, b"mdia", b"minf", b"stbl", b"stsd")[8:]))
    if len(entries) != 1 or entries[0][0] != b"avc1":
        raise BadBoxes("the pictures are not all of one H.264 stream")
    body = one(entries[0][1][_VISUAL_ENTRY:], b"avcC")
    if body[0] != 1 or body[4] & 3 == 2:
        raise BadBoxes("the configuration of H.264 is of another version")
    if body[1] not in _PROFILES or body[3] > _HIGHEST_LEVEL:
        raise BadBoxes("not every player has that profile or level of H.264")
    found, position = [list[bytes](), list[bytes]()], 5
    for number, kind in enumerate(found):
        many = body[position] & (0x1F if number == 0 else 0xFF)
        position += 1
        for _ in range(many):
            (length,) = struct.unpack_from(">H", body, position)
            kind.append(bytes(body[position + 2 : position + 2 + length]))
            position += 2 + length
    if position > len(body) or len(found[0]) != 1 or not found[1]:
        raise BadBoxes("there is not one set of parameters for all pictures")
    if not shows_frames(found[0][0]):
        raise BadBoxes("a picture is perhaps not one frame")
    return (body[4] & 3) + 1, frozenset(found[0] + found[1])


def _check_times(track: Track, edges: Sequence[int]) -> None:
    """Each picture is shown as long as the others, and no group before the one that it follows has ended."""
    first = min(track.shown[: edges[1]])
    step = track.longest
    if step <= 0 or any(after - before != step for before, after in pairwise(track.decoded)):
        raise BadBoxes("pictures are shown for different times")
    # an edit list counts in ticks of the film, and may end half a picture early
    if first < max(0, track.begin) or first + len(track.shown) * step - step // 2 > track.end:
        raise BadBoxes("an edit list cuts pictures off")
    for begin, end in pairwise(edges):
        if sorted(track.shown[begin:end]) != list(range(first + begin * step, first + end * step, step)):
            raise BadBoxes("the pictures of a group are not shown one after the other")


def _is_idr(file: BinaryIO, track: Track, sample: int, length_bytes: int, parameters: Collection[bytes]) -> bool:
    """Whether the first picture of a sample is an IDR picture. Parameters before it must be those of the whole."""
    begin, end = place_of(track, sample)
    for kind, position, length in _units(file, begin, end, length_bytes):
        if kind in _PARAMETERS:
            file.seek(position)
            if length > _MOST_PARAMETER_BYTES or file.read(length) not in parameters:
                raise BadBoxes("parameters change midway")
        elif kind not in _BESIDE:
            return kind == IDR
    return False


def _units(file: BinaryIO, begin: int, end: int, length_bytes: int) -> Iterator[tuple[int, int, int]]:
    """Type (7.3.1), place and length of each unit of a sample."""
    for _ in range(_MOST_UNITS):
        file.seek(begin)
        head = file.read(length_bytes + 1)
        if len(head) <= length_bytes:
            return
        length = int.from_bytes(head[:-1], "big")
        begin += length_bytes
        if not 0 < length <= end - begin:
            return
        yield head[-1] & 0x1F, begin, length
        begin += length


def place_of(track: Track, sample: int) -> tuple[int, int]:
    """The bytes of the file that a sample takes."""
    chunk = bisect_right(track.firsts, sample) - 1
    begin = track.offsets[chunk] + track.ends[sample] - track.ends[track.firsts[chunk]]
    return begin, begin + track.ends[sample + 1] - track.ends[sample]
