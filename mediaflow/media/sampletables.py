"""The samples of an MP4 or MOV file as its index tells them (ISO/IEC 14496-12, the boxes below `stbl`).

What an index claims is believed as far as the file can bear it: tables are as long as their boxes, samples no more than
the film of half a day has, and each lies inside the file. Whatever is not plain (several edits, fragments, tables that
do not agree) is refused with BadBoxes: whoever reads all packets knows better.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise, repeat
from operator import add, le, sub
from pathlib import Path
from typing import Final, NamedTuple

from mediaflow.media.boxes import (
    BadBoxes,
    boxes,
    children,
    handler,
    one,
    top_level,
    track_id,
    u32,
    u32_behind_times,
)

MOST_INDEX_BYTES: Final = 64 * 1024 * 1024
"""Two hours of 25 frames and 47 audio samples a second have an index of some 8 MB."""
MOST_SAMPLES: Final = 4_000_000
"""Of all tracks that are read: 15 hours of the same. Sixteen bytes each, and as much again while they are made."""
_TABLES: Final = (b"stts", b"ctts", b"stsz", b"stsc", b"stco", b"co64")
_MOST_OFFSET: Final = 1 << 28
"""ffmpeg takes no composition offset beyond it."""
EVER: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Track:
    """Samples in the order of decoding, in ticks of `timescale` a second, before any edit list moves them.

    Those that are shown from `begin` until before `end` are kept by the edit list, which shows the first of them
    `delay` ticks later. `ends` are the bytes before each
    sample and all before it (one more than samples); a chunk at `offsets[n]` begins with the sample `firsts[n]`.
    """

    timescale: int
    decoded: Sequence[int]
    shown: Sequence[int]
    begin: int
    end: int
    delay: int
    longest: int
    ends: Sequence[int]
    offsets: Sequence[int]
    firsts: Sequence[int]

    def sample_at(self, position: int) -> int | None:
        """The number of the sample that lies at that byte of the file."""
        chunk = bisect_right(self.offsets, position) - 1
        if chunk < 0:
            return None
        first, after = self.firsts[chunk], self.firsts[chunk + 1]
        wanted = self.ends[first] + position - self.offsets[chunk]
        sample = bisect_right(self.ends, wanted, first, after) - 1
        return sample if first <= sample and self.ends[sample] == wanted else None


class TracksAhead(NamedTuple):
    """The ids of the tracks of pictures and of sound, and all these tracks by their ids."""

    video: frozenset[int]
    audio: frozenset[int]
    tracks: dict[int, Track]


def read_tracks(source: Path, video: Collection[int], audio: Collection[int]) -> dict[int, Track]:
    """The tracks with these ids. BadBoxes tells why this index can't be relied on."""
    with reading_index():
        return _tracks(_index_of(source), source.stat().st_size, video, audio)


def read_tracks_ahead(source: Path) -> TracksAhead:
    """The tracks that the index itself calls pictures and sound, before ffprobe has told of the streams. BadBoxes tells
    why this index can't be relied on.
    """
    with reading_index():
        moov = _index_of(source)
        kinds = {track_id(trak): handler(trak) for trak in children(moov, b"trak")}
        video, audio = (frozenset(n for n, kind in kinds.items() if kind == wanted) for wanted in (b"vide", b"soun"))
        return TracksAhead(video, audio, _tracks(moov, source.stat().st_size, video, audio))


@contextmanager
def reading_index() -> Iterator[None]:
    """A box that ends before what is read of it is BadBoxes."""
    try:
        yield
    except (struct.error, IndexError) as error:
        raise BadBoxes("a box of the index is too short") from error


def _index_of(source: Path) -> memoryview:
    return the_index(top_level(source, keep=(b"moov",), most_bytes=MOST_INDEX_BYTES))


def the_index(found: Iterable[tuple[bytes, bytes]]) -> memoryview:
    """The body of the one index among top-level boxes. BadBoxes unless there is one that tells of all samples."""
    indexes = []
    for kind, body in found:
        if kind == b"moof":
            raise BadBoxes("the file has fragments: its index does not tell of all samples")
        if kind == b"moov":
            indexes.append(memoryview(body))
    if len(indexes) != 1:
        raise BadBoxes(f"the file has {len(indexes)} indexes")
    moov = indexes[0]
    if next(children(moov, b"mvex"), None) is not None:
        raise BadBoxes("fragments may follow: the index does not tell of all samples")
    return moov


def _tracks(moov: memoryview, size: int, video: Collection[int], audio: Collection[int]) -> dict[int, Track]:
    scale = clock(one(moov, b"mvhd"))
    found: dict[int, Track] = {}
    left = MOST_SAMPLES
    for trak in children(moov, b"trak"):
        number = track_id(trak)
        if number in found:
            raise BadBoxes(f"two tracks have the number {number}")
        if number in video or number in audio:
            found[number] = track_of(trak, scale, size, left, heard=number in audio)
            left -= len(found[number].shown)
    return found


def track_of(trak: memoryview, movie_scale: int, size: int, most: int, *, heard: bool) -> Track:
    """A track of at most so many samples. What is `heard` is shown in the order of decoding."""
    timescale = clock(one(trak, b"mdia", b"mdhd"))
    tables: dict[bytes, memoryview] = {}
    for kind, body in boxes(one(trak, b"mdia", b"minf", b"stbl")):
        if kind in _TABLES:
            if kind in tables:
                raise BadBoxes(f"a track has two tables {kind.decode()}")
            tables[kind] = body
    if not {b"stts", b"stsz", b"stsc"} <= tables.keys() or (b"stco" in tables) == (b"co64" in tables):
        raise BadBoxes("a track has not the tables that one needs")
    ends = _ends(tables[b"stsz"], most)
    count = len(ends) - 1
    decoded, longest = _decoded(tables[b"stts"], count)
    shown = decoded if b"ctts" not in tables else _shown(tables[b"ctts"], decoded)
    if heard and shown is not decoded:
        raise BadBoxes("sound is not shown in the order of decoding")
    begin, end, delay = edit_of(trak, timescale, movie_scale)
    if heard and begin > 0:  # the sample that lasts until after the beginning belongs to it
        after = bisect_right(decoded, begin)
        begin = decoded[after - 1] if after else begin
    offsets = (
        words_of(tables[b"co64"], 1, count, wide=True) if b"co64" in tables else words_of(tables[b"stco"], 1, count)
    )
    firsts = _chunks(tables[b"stsc"], len(offsets), count)
    _check_places(offsets, firsts, ends, size)
    return Track(timescale, decoded, shown, begin, end, delay, longest, ends, offsets, firsts)


def clock(header: memoryview) -> int:
    """The ticks of a second, as the header of the film or of a track tells."""
    scale = u32_behind_times(header)
    if not 0 < scale < 1 << 31:
        raise BadBoxes(f"a clock has {scale} ticks a second")
    return scale


def words_of(body: memoryview, each: int, most: int, *, wide: bool = False, at: int = 4) -> array[int]:
    """The numbers of a table of at most so many entries, `each` of them an entry, behind the count of its entries at
    that byte.
    """
    count, first = u32(body, at), at + 4
    if count > most:
        raise BadBoxes(f"a table has {count} entries, and there are {most} samples")
    words = array("Q" if wide else "I")
    after = first + count * each * words.itemsize
    if after > len(body):
        raise BadBoxes(f"a table with {count} entries is cut off")
    words.frombytes(body[first:after])
    if sys.byteorder == "little":
        words.byteswap()
    return words


def _ends(stsz: memoryview, most: int) -> Sequence[int]:
    each, count = u32(stsz, 4), u32(stsz, 8)
    if not 0 < count <= most:
        raise BadBoxes(f"{count} samples are not what is read; at most {most} are")
    if each:
        return range(0, (count + 1) * each, each)
    sizes = words_of(stsz, 1, most, at=8)
    if min(sizes) == 0:
        raise BadBoxes("a sample is empty")
    return array("q", accumulate(sizes, initial=0))


def _runs(counts: Sequence[int], values: Iterable[int], count: int, name: str) -> Iterable[int]:
    """Every value as often as is counted. It is counted first, so that nothing is made of a false sum."""
    if sum(counts) != count:
        raise BadBoxes(f"{name} tells of {sum(counts)} samples, and there are {count}")
    return chain.from_iterable(map(repeat, values, counts))


def _decoded(stts: memoryview, count: int) -> tuple[array[int], int]:
    """Decoding times, and the most that lies between two of them, or after the last one."""
    words = words_of(stts, 2, count)
    steps = words[1::2]
    if max(steps, default=0) >= 1 << 31:
        raise BadBoxes("a sample comes before the one that it follows")
    times = array("q", accumulate(_runs(words[0::2], steps, count, "stts"), initial=0))
    times.pop()  # the end of the last one
    return times, max(steps, default=0)


def _shown(ctts: memoryview, decoded: array[int]) -> array[int]:
    """Composition times. Offsets have a sign in either version: older files of QuickTime say so too."""
    words = words_of(ctts, 2, len(decoded))
    offsets = array("i", words[1::2].tobytes())
    if max(offsets, default=0) >= _MOST_OFFSET or min(offsets, default=0) <= -_MOST_OFFSET:
        raise BadBoxes("a sample is shown long before or after it is decoded")
    return array("q", map(add, decoded, _runs(words[0::2], offsets, len(decoded), "ctts")))


def edit_of(trak: memoryview, timescale: int, movie_scale: int) -> tuple[int, int, int]:
    """From when until before when samples are kept, in the track's ticks: all, or what the one edit takes. And how much
    later the track begins.
    """
    elst = next(children(trak, b"edts", b"elst"), None)
    if elst is None:
        return -EVER, EVER, 0
    form = ">QqI" if elst[0] else ">IiI"
    count, each = u32(elst, 4), struct.calcsize(form)
    if count > 2 or 8 + count * each > len(elst):
        raise BadBoxes(f"an edit list has {count} entries")
    edits = [struct.unpack_from(form, elst, 8 + n * each) for n in range(count)]
    delay = 0
    if len(edits) == 2 and edits[0][1] == -1:  # the track begins later
        delay = edits[0][0] * timescale // movie_scale
        edits = edits[1:]
    if not edits:
        return -EVER, EVER, 0
    seconds, begin, rate = edits[0]
    if len(edits) > 1 or begin < 0 or seconds == 0 or rate != 1 << 16:
        raise BadBoxes("an edit list does more than to cut off the ends")
    return begin, begin + (seconds * timescale + movie_scale // 2) // movie_scale, delay


def _chunks(stsc: memoryview, chunks: int, count: int) -> array[int]:
    """The first sample of each chunk, and one more than the last sample."""
    words = words_of(stsc, 3, chunks)
    begins, samples = words[0::3], words[1::3]
    if set(words[2::3]) - {1}:
        raise BadBoxes("a track changes its codec")
    lengths = [after - before for before, after in pairwise((*begins, chunks + 1))]
    if not begins or begins[0] != 1 or min(lengths) <= 0:
        raise BadBoxes("stsc does not tell of the chunks that there are")
    firsts = array("q", accumulate(chain.from_iterable(map(repeat, samples, lengths)), initial=0))
    if firsts[-1] != count:
        raise BadBoxes(f"the chunks have {firsts[-1]} samples, and there are {count}")
    return firsts


def _check_places(offsets: Sequence[int], firsts: Sequence[int], ends: Sequence[int], size: int) -> None:
    """Chunks follow one another, none begins in another, and the file holds all of each."""
    bounds = list(map(ends.__getitem__, firsts))
    after = list(map(add, offsets, map(sub, bounds[1:], bounds)))
    if not all(map(le, after, offsets[1:])):
        raise BadBoxes("the chunks are not in the order of the file, or lie in each other")
    if after[-1] > size:
        raise BadBoxes(f"the samples end at byte {after[-1]}, and the file has {size}")
