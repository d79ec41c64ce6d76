"""Which bytes of an MP4 or MOV a program reads to describe it, or to decode some seconds of it, as its index tells.

The rules are those of ffmpeg's reader. It opens a file by its index and the first packets of all streams. It seeks in
the default stream (a picture, if there is one) to the last key frame before a moment, and in the others to the last one
before that; then it reads the samples of the streams that are wanted. What is told here is never less, and somewhat
more. An index that is not plain is refused with BadBoxes: then all of the file is needed.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import sub
from typing import BinaryIO, Final

from mediaflow.media.boxes import BadBoxes, children, one, placed, track_id, u32
from mediaflow.media.sampletables import (
    MOST_INDEX_BYTES,
    MOST_SAMPLES,
    Track,
    clock,
    reading_index,
    the_index,
    track_of,
    words_of,
)

FIRST_BYTES: Final = 1024 * 1024
"""ffmpeg looks at so much, at most, to tell what a file is."""
OPENING_BYTES: Final = 6_000_000
"""So much of the packets it reads at most to learn of the streams (`probesize`, 5 MB, and one more packet), ..."""
OPENING_SECONDS: Final = 10.0
"""... and for so long at most (`analyzeduration`, 5 s)."""
MARGIN_SAMPLES: Final = 64
"""A reader is ahead of what it gives by the frames that are reordered and by those of each thread, 16 at most each; and
ffprobe reads so many packets of the beginning.
"""
MARGIN_SECONDS: Final = 2.0
"""What times may be off, and what is read ahead: sound and picture lie apart by up to a second in what a reader takes
as it comes.
"""
MOST_CHAPTERS: Final = 1000
_RUN_SECONDS: Final = 1.0
_BULK: Final = (b"mdat", b"free", b"skip", b"wide")
_EMPTY_TABLE: Final = 12


@dataclass(frozen=True, slots=True)
class Run:
    """Samples that follow one another in a track. Nothing in it is shown or decoded before `earliest` (seconds of the
    film); a seek to `reached` or later finds its first sample, if that can be found (`is_key`), or one after it.
    `samples` is how many there are, which have `size_bytes`; `place` is from the first to the last of them, with what
    lies between.
    """

    earliest: float
    reached: float
    is_key: bool
    samples: int
    size_bytes: int
    place: range


@dataclass(frozen=True, slots=True)
class Extents:
    """The runs of each track, and what is read in any case: the index, and what ffmpeg opens the file by.

    `shift` is what the film's clock is ahead of one that begins with its first sample.
    """

    size_bytes: int
    always: tuple[range, ...]
    tracks: tuple[tuple[Run, ...], ...]
    shift: float

    @property
    def ends(self) -> list[range]:
        """What ffprobe reads of the beginning, and of the end behind its last key frame."""
        return self._between(float("inf"), float("inf"))

    def span(self, begin: float, end: float) -> list[range]:
        """What decoding from `begin` to `end` reads, in seconds after the first sample of the film."""
        low, high = min(0.0, self.shift), max(0.0, self.shift)
        return self._between(begin + low - MARGIN_SECONDS, end + high + MARGIN_SECONDS)

    def _between(self, begin: float, end: float) -> list[range]:
        # any picture may be the stream that ffmpeg seeks in; what it finds there is what it seeks the others by
        found = min((track[_before(track, begin)].earliest for track in self.tracks), default=0.0)
        places = list(self.always)
        for track in self.tracks:
            first = _before(track, found)
            places += [run.place for run in track[first : _after(track, max(end, begin), first)]]
        return joined(places)


def joined(places: Iterable[range]) -> list[range]:
    """The same bytes in order, those that touch together."""
    found: list[range] = []
    for place in sorted(places, key=lambda place: place.start):
        if found and place.start <= found[-1].stop:
            found[-1] = range(found[-1].start, max(found[-1].stop, place.stop))
        elif place:
            found.append(place)
    return found


def read_extents(file: BinaryIO, size_bytes: int) -> Extents:
    """Those of an open file of that size. BadBoxes tells why its index can't be relied on."""
    with reading_index():
        return _extents(file, size_bytes)


def _extents(file: BinaryIO, size: int) -> Extents:
    always, found = [range(min(size, FIRST_BYTES))], []
    for place, kind, body in placed(file, size, (b"moov",), MOST_INDEX_BYTES):
        found.append((kind, body))
        # of a bulk of media the header; of whatever else is there all, should a reader look at it
        always.append(place[:16] if kind in _BULK else place)
    moov = the_index(found)
    if sum(map(len, always)) > MOST_INDEX_BYTES:
        raise BadBoxes("there is much beside the media")
    chapters = _chapters(moov)
    scale, left = clock(one(moov, b"mvhd")), MOST_SAMPLES
    tracks = []
    for trak in children(moov, b"trak"):
        table = one(trak, b"mdia", b"minf", b"stbl")
        if _is_empty(one(table, b"stsz")):
            continue
        track = track_of(trak, scale, size, left, heard=False)
        left -= len(track.shown)
        tracks.append(_runs(track, _keys(table, len(track.shown))))
        if track_id(trak) in chapters:
            always += _all_of(track)
        always += _opening(tracks[-1])
    if not tracks:
        raise BadBoxes("no track has a sample")
    return Extents(size, tuple(joined(always)), tuple(tracks), min(track[0].earliest for track in tracks))


def _chapters(moov: memoryview) -> set[int]:
    """The tracks that ffmpeg reads whole when it opens a file."""
    lists = children(moov, b"trak", b"tref", b"chap")
    return {u32(each, at) for each in lists for at in range(0, len(each), 4)}


def _is_empty(stsz: memoryview) -> bool:
    return len(stsz) >= _EMPTY_TABLE and u32(stsz, 8) == 0


def _keys(table: memoryview, count: int) -> Sequence[int]:
    """The samples that a seek finds, counted from 0."""
    stss = next(children(table, b"stss"), None)
    if stss is None:
        return range(count)
    keys = words_of(stss, 1, MOST_SAMPLES)
    if not keys or keys[0] != 1 or keys[-1] > count or any(after <= before for before, after in pairwise(keys)):
        raise BadBoxes("the list of key frames does not begin with the first frame, or is not in order")
    return [key - 1 for key in keys]


def _runs(track: Track, keys: Sequence[int]) -> tuple[Run, ...]:
    """Runs of about a second, each beginning with a key frame where there is one."""
    decoded, ticks = track.decoded, round(_RUN_SECONDS * track.timescale)
    count, first, cuts = len(decoded), 0, [0]
    while first < count:
        after = bisect_left(decoded, decoded[first] + ticks, first + 1)
        at = bisect_left(keys, after)
        late = bisect_left(decoded, decoded[first] + 2 * ticks, first + 1)
        first = keys[at] if at < len(keys) and keys[at] <= max(late, after) else max(late, after)
        cuts.append(min(first, count))
    return tuple(_run(track, a, b, keys) for a, b in pairwise(cuts) if a < b)


def _run(track: Track, first: int, after: int, keys: Sequence[int]) -> Run:
    moved = track.delay - max(0, track.begin)
    decoded, shown = track.decoded[first:after], track.shown[first:after]
    if shown is not decoded and min(map(sub, shown, decoded)) < -MARGIN_SECONDS * track.timescale:
        raise BadBoxes("samples are shown long before they are decoded")
    at = bisect_left(keys, first)
    return Run(
        earliest=(min(min(shown), decoded[0]) + moved) / track.timescale,
        reached=(max(shown[0], decoded[0]) + moved) / track.timescale,
        is_key=at < len(keys) and keys[at] == first,
        samples=after - first,
        size_bytes=track.ends[after] - track.ends[first],
        place=range(_place(track, first).start, _place(track, after - 1).stop),
    )


def _place(track: Track, sample: int) -> range:
    """The bytes of a sample."""
    chunk = bisect_right(track.firsts, sample) - 1
    begin = track.offsets[chunk] + track.ends[sample] - track.ends[track.firsts[chunk]]
    return range(begin, begin + track.ends[sample + 1] - track.ends[sample])


def _all_of(track: Track) -> Iterator[range]:
    if len(track.shown) > MOST_CHAPTERS:
        raise BadBoxes(f"a track of chapters has {len(track.shown)} samples")
    return (_place(track, sample) for sample in range(len(track.shown)))


def _opening(runs: Sequence[Run]) -> Iterator[range]:
    """The first samples, as many as ffmpeg may read before it seeks."""
    samples = total = 0
    for run in runs:
        enough = total >= OPENING_BYTES or run.earliest - runs[0].earliest >= OPENING_SECONDS
        if enough and samples >= MARGIN_SAMPLES:
            return
        yield run.place
        samples, total = samples + run.samples, total + run.size_bytes


def _before(track: Sequence[Run], moment: float) -> int:
    """The last run that a seek to that moment can begin with."""
    for number in range(len(track) - 1, 0, -1):
        if track[number].is_key and track[number].reached <= moment:
            return number
    return 0


def _after(track: Sequence[Run], moment: float, first: int) -> int:
    """The number after the last run that decoding to that moment reads."""
    samples = 0
    for number in range(first, len(track)):
        if track[number].earliest > moment:
            if samples >= MARGIN_SAMPLES:
                return number
            samples += track[number].samples
    return len(track)
