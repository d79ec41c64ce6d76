"""The beginning of an MP4 file that plays while it is fetched (ISO/IEC 14496-12), for media that lies in CMAF segments.

Behind it follow the segments as they are, inside of one `mdat` box: the index points at the samples in them, and what
is around these is not looked at (8.1.1.1). So a download is no second copy of the media, and any range of it is a range
of a segment.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Final

from mediaflow.media.boxes import BadBoxes, boxes, children, handler, one, u32, u32_behind_times
from mediaflow.media.fragments import NON_SYNC, Defaults, Run, runs_of

Read = Callable[[int, int], bytes]
"""Bytes of a segment from an offset on, so many or fewer."""

_FIRST_BYTES: Final = 16 * 1024
"""Of a segment, read at once: a fragment of four seconds of 60 frames has an index of 4 KB."""
_MOST_INDEX_BYTES: Final = 8 * 1024 * 1024
_ENABLED, _IN_MOVIE = 1, 2
_IDENTITY: Final = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


@dataclass(frozen=True, slots=True)
class Samples:
    """A run of samples, `offset` bytes into their segment."""

    offset: int
    run: Run


@dataclass(frozen=True, slots=True)
class TrackSamples:
    """A track of the download: its init segment, and for each segment where it begins behind the header, and what is
    in it.
    """

    init: bytes
    segments: Sequence[tuple[int, Sequence[Samples]]]

    @property
    def runs(self) -> Iterator[Run]:
        """All of them in order."""
        return (samples.run for _, found in self.segments for samples in found)


def samples_of(size_bytes: int, read: Read, init: bytes) -> list[Samples]:
    """What is in a segment of the init segment's track. BadBoxes when it is not whole."""
    defaults = Defaults.of_movie(one(_movie(init), b"mvex", b"trex"))
    found, position = list[Samples](), 0
    while position < size_bytes:
        data = read(position, min(_FIRST_BYTES, size_bytes - position))
        if len(data) < 8:
            raise BadBoxes("a segment is cut off")
        length, kind = struct.unpack_from(">I4s", data)
        if length < 8 or position + length > size_bytes:
            raise BadBoxes("a box of a segment is cut off")
        if kind == b"moof":
            if length > _MOST_INDEX_BYTES:
                raise BadBoxes(f"a fragment has an index of {length} bytes")
            whole = data if len(data) >= length else read(position, length)
            for run in runs_of(memoryview(whole)[8:length], defaults, size_bytes):
                if run.offset is None:
                    raise BadBoxes("a track run does not tell where its samples are")
                found.append(Samples(position + run.offset, run))
        position += length
    return found


def header(tracks: Sequence[TrackSamples], media_bytes: int, offset_seconds: int) -> bytes:
    """All before so many bytes of segments: the tracks with their index, and the head of the box that holds the
    segments. The presentation begins at `offset_seconds` on their clock.
    """
    edits = [_Edit.of(track, offset_seconds) for track in tracks]
    tables = [b"".join(_tables(track)) for track in tracks]
    size = len(_header(tracks, edits, tables, media_bytes, 0))
    return _header(tracks, edits, tables, media_bytes, size)


def _header(
    tracks: Sequence[TrackSamples], edits: Sequence[_Edit], tables: Sequence[bytes], media_bytes: int, begin: int
) -> bytes:
    kind = _box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isomiso2mp41")
    scale = _timescale(tracks[0])
    longest = max(edit.seconds(scale) for edit in edits)
    movie = struct.pack(">IQQIQIHH8x", 1 << 24, 0, 0, scale, longest, 0x10000, 0x100, 0)
    parts = [_box(b"mvhd", movie, _IDENTITY, bytes(24), struct.pack(">I", len(tracks) + 1))]
    sounds = 0
    for number, (track, edit, table) in enumerate(zip(tracks, edits, tables, strict=True), start=1):
        is_sound = handler(one(_movie(track.init), b"trak")) == b"soun"
        sounds += is_sound
        # of several languages the first is heard
        flags = _IN_MOVIE | (0 if is_sound and sounds > 1 else _ENABLED)
        parts.append(_track(track, edit, number, flags, scale, table + _places(track, begin)))
    return b"".join((kind, _box(b"moov", *parts), struct.pack(">I4sQ", 1, b"mdat", 16 + media_bytes)))


@dataclass(frozen=True, slots=True)
class _Edit:
    """Which part of a track is shown, in its ticks: from `begin` to `end`, `late` after the presentation begins."""

    begin: int
    end: int
    late: int
    timescale: int

    @classmethod
    def of(cls, track: TrackSamples, offset_seconds: int) -> _Edit:
        scale, first = _timescale(track), next(track.runs)
        begin = _first_shown(track.init) + offset_seconds * scale - first.decode_time
        decode, end = 0, 0
        for run in track.runs:
            begins = accumulate(run.durations, initial=decode)
            lasts = zip(begins, run.shifts, run.durations, strict=False)
            end = max(end, max((begin + shift + duration for begin, shift, duration in lasts), default=0))
            decode += run.duration
        return cls(max(0, begin), end, max(0, -begin), scale)

    def seconds(self, scale: int) -> int:
        """How long it is, in ticks of that scale."""
        return (self.end - self.begin + self.late) * scale // self.timescale

    def entries(self, scale: int) -> bytes:
        """The list of edits (8.6.6) for a movie of that timescale."""
        shown = struct.pack(">QqI", (self.end - self.begin) * scale // self.timescale, self.begin, 1 << 16)
        late = struct.pack(">QqI", self.late * scale // self.timescale, -1, 1 << 16) if self.late else b""
        return struct.pack(">II", 1 << 24, 2 if late else 1) + late + shown


def _track(track: TrackSamples, edit: _Edit, number: int, flags: int, scale: int, index: bytes) -> bytes:
    source = one(_movie(track.init), b"trak")
    shape = one(source, b"tkhd")
    # layer, group, volume, matrix, width and height stand behind times whose length is the version's
    rest = bytes(shape[-60:])
    head = struct.pack(">IQQII Q", 1 << 24 | flags, 0, 0, number, 0, edit.seconds(scale))
    media = one(source, b"mdia", b"mdhd")
    language = bytes(media[-4:])
    length = sum(run.duration for run in track.runs)
    information = [_box(kind, bytes(body)) for kind, body in boxes(one(source, b"mdia", b"minf")) if kind != b"stbl"]
    described = _box(b"stsd", bytes(one(source, b"mdia", b"minf", b"stbl", b"stsd")))
    return _box(
        b"trak",
        _box(b"tkhd", head, rest),
        _box(b"edts", _box(b"elst", edit.entries(scale))),
        _box(
            b"mdia",
            _box(b"mdhd", struct.pack(">IQQIQ", 1 << 24, 0, 0, edit.timescale, length), language),
            _box(b"hdlr", bytes(one(source, b"mdia", b"hdlr"))),
            _box(b"minf", *information, _box(b"stbl", described, index)),
        ),
    )


def _tables(track: TrackSamples) -> Iterator[bytes]:
    """The index of the samples (8.6, 8.7), but for where they lie."""
    runs = list(track.runs)
    yield _counted(b"stts", _lengths((run.durations for run in runs), ">II"))
    if any(any(run.shifts) for run in runs):
        yield _counted(b"ctts", _lengths((run.shifts for run in runs), ">Ii"), version=1)
    syncs = [not flags & NON_SYNC for run in runs for flags in run.flags]
    if not all(syncs):
        yield _counted(b"stss", [struct.pack(">I", number) for number, sync in enumerate(syncs, start=1) if sync])
    yield _counted(b"stsc", list(_chunks(runs)))
    yield _box(b"stsz", struct.pack(">III", 0, 0, sum(len(run.sizes) for run in runs)), *map(_words, runs))


def _places(track: TrackSamples, begin: int) -> bytes:
    """Where the samples lie, whose segments begin so many bytes into the file."""
    places = (begin + place + samples.offset for place, found in track.segments for samples in found)
    return _counted(b"co64", [struct.pack(">Q", place) for place in places])


def _words(run: Run) -> bytes:
    sizes = run.sizes[:]
    if sys.byteorder == "little":
        sizes.byteswap()
    return sizes.tobytes()


def _chunks(runs: Sequence[Run]) -> Iterator[bytes]:
    """How many samples each chunk has, from which on: a run is a chunk."""
    number = 1
    for count, many in groupby(len(run.sizes) for run in runs):
        yield struct.pack(">III", number, count, 1)
        number += len(list(many))


def _lengths(columns: Iterable[Sequence[int]], layout: str) -> list[bytes]:
    """Every value with how often it follows itself."""
    values = (value for column in columns for value in column)
    return [struct.pack(layout, sum(1 for _ in same), value) for value, same in groupby(values)]


def _counted(kind: bytes, entries: Sequence[bytes], *, version: int = 0) -> bytes:
    return _box(kind, struct.pack(">II", version << 24, len(entries)), *entries)


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


# --- what fragments say


def _movie(init: bytes) -> memoryview:
    return one(memoryview(init), b"moov")


def _timescale(track: TrackSamples) -> int:
    return u32_behind_times(one(_movie(track.init), b"trak", b"mdia", b"mdhd"))


def _first_shown(init: bytes) -> int:
    """The time of the first picture that is shown, by the init segment's list of edits: the encoder's delay."""
    for edits in children(_movie(init), b"trak", b"edts", b"elst"):
        version, count = edits[0], u32(edits, 4)
        step, layout = (20, ">Qq") if version else (12, ">Ii")
        times = (struct.unpack_from(layout, edits, 8 + step * number)[1] for number in range(count))
        return next((time for time in times if time >= 0), 0)
    return 0
