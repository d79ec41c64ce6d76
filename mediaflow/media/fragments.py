"""What fragments say of their samples (ISO/IEC 14496-12, 8.8), column by column: a day of sound has millions."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mediaflow.media.boxes import BadBoxes, children, one, u32

NON_SYNC: Final = 0x00010000
"""sample_is_non_sync_sample in sample flags (8.8.3.1)."""
_FIELDS: Final = (0x100, 0x200, 0x400, 0x800)
"""Flags of a track run's four columns: duration, size, flags, composition offset (8.8.8)."""
_WORD: Final = "I" if array("I").itemsize == 4 else "L"
_SIGNED: Final = _WORD.lower()


@dataclass(frozen=True, slots=True)
class Defaults:
    """Of samples that do not tell theirs: duration (ticks), size (bytes), flags."""

    duration: int
    size: int
    flags: int

    @classmethod
    def of_movie(cls, trex: memoryview) -> Defaults:
        """Those of an init segment (8.8.3)."""
        return cls(u32(trex, 12), u32(trex, 16), u32(trex, 20))

    def of_fragment(self, tfhd: memoryview) -> Defaults:
        """Those of a fragment (8.8.7), which go before the init segment's."""
        present = u32(tfhd, 0) & 0xFFFFFF
        values = {0x8: self.duration, 0x10: self.size, 0x20: self.flags}
        position = 8 + (8 if present & 0x1 else 0) + (4 if present & 0x2 else 0)
        for flag in values:
            if present & flag:
                values[flag] = u32(tfhd, position)
                position += 4
        return Defaults(values[0x8], values[0x10], values[0x20])


@dataclass(frozen=True, slots=True)
class Run:
    """A run of samples that lie one behind the other: where they begin, counted from the fragment (None: not told), the
    first one's time in ticks, and for each its duration, bytes, flags, and ticks from decoding to showing.
    """

    decode_time: int
    offset: int | None
    durations: array[int]
    sizes: array[int]
    flags: array[int]
    shifts: array[int]

    @property
    def duration(self) -> int:
        """Of all of them."""
        return sum(self.durations)


def runs_of(moof: memoryview, movie: Defaults, most: int) -> Iterator[Run]:
    """The runs of a fragment's first track. BadBoxes when one is cut off, or claims more than `most` samples (none is
    smaller than a byte).
    """
    defaults = movie.of_fragment(one(moof, b"traf", b"tfhd"))
    time_box = one(moof, b"traf", b"tfdt")
    decode_time = struct.unpack_from(">Q", time_box, 4)[0] if time_box[0] == 1 else u32(time_box, 4)
    for box in children(moof, b"traf", b"trun"):
        run = _run(box, decode_time, defaults, most)
        decode_time += run.duration
        yield run


def _run(box: memoryview, decode_time: int, defaults: Defaults, most: int) -> Run:
    present, count = u32(box, 0) & 0xFFFFFF, u32(box, 4)
    if count > most:
        raise BadBoxes(f"it claims {count} samples in {most} bytes")
    position, offset, first = 8, None, None
    if present & 0x1:
        offset, position = struct.unpack_from(">i", box, position)[0], position + 4
    if present & 0x4:
        first, position = u32(box, position), position + 4
    fields = [flag for flag in _FIELDS if present & flag]
    end = position + 4 * len(fields) * count
    if end > len(box):
        raise BadBoxes("a track run is cut off")
    words = array(_WORD, bytes(box[position:end]))
    if sys.byteorder == "little":
        words.byteswap()
    told = {flag: words[place :: len(fields)] for place, flag in enumerate(fields)}
    usual = {0x100: defaults.duration, 0x200: defaults.size, 0x400: defaults.flags, 0x800: 0}
    columns = [told[flag] if flag in told else array(_WORD, [usual[flag]]) * count for flag in _FIELDS]
    durations, sizes, flags, shifts = columns
    if first is not None and count:
        flags[0] = first
    # version 0 has shifts without a sign; none is as long as half of what fits
    return Run(decode_time, offset, durations, sizes, flags, array(_SIGNED, shifts.tobytes()))
