"""The beginning of an MP4 file that plays while it is fetched (ISO/IEC 14496-12), for media that lies in CMAF segments.

Behind it follow the segments as they are, inside of one `mdat` box: the index points at the samples in them, and what
is around these is not looked at (8.1.1.1). So a download is no second copy of the media, and any range of it is a range
of a segment.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from mediaflow.media.boxes import BadBoxes, boxes, children, handler, one, u32, u32_behind_times

Read = Callable[[int, int], bytes]
"""Bytes of a segment from an offset on, so many or fewer."""

_NON_SYNC: Final = 0x00010000
_FIRST_BYTES: Final = 16 * 1024
"""Of a segment, read at once: a fragment of four seconds of 60 frames has an index of 4 KB."""
_MOST_INDEX_BYTES: Final = 8 * 1024 * 1024
_ENABLED, _IN_MOVIE = 1, 2
_IDENTITY: Final = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


@dataclass(frozen=True, slots=True)
class Samples:
    """A run of samples that lie one behind the other, `offset` bytes into their segment; times in ticks. `decode_time`
    is the first one's on the segments' clock, `shifts` are from decoding to showing.
    """

    decode_time: int
    offset: int
    durations: tuple[int, ...]
    sizes: tuple[int, ...]
    shifts: tuple[int, ...]
    syncs: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class TrackSamples:
    """A track of the download: its init segment, and for each segment where it begins behind the header, and what is
    in it.
    """

    init: bytes
    segments: Sequence[tuple[int, Sequence[Samples]]]

    @property
    def runs(self) -> Iterator[Samples]:
        """All of them in order."""
        return (run for _, runs in self.segments for run in runs)


def samples_of(size_bytes: int, read: Read, init: bytes) -> list[Samples]:
    """What is in a segment of the init segment's track. BadBoxes when it is not whole."""
    defaults = one(_movie(init), b"mvex", b"trex")
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
            found += _fragment(memoryview(whole)[8:length], position, defaults)
        position += length
    return found


def header(tracks: Sequence[TrackSamples], media_bytes: int, offset_seconds: int) -> bytes:
    """All before so many bytes of segments: the tracks with their index, and the head of the box that holds the
    segments. The presentation begins at `offset_seconds` on their clock.
    """
    size = len(_header(tracks, media_bytes, offset_seconds, 0))
    return _header(tracks, media_bytes, offset_seconds, size)


def _header(tracks: Sequence[TrackSamples], media_bytes: int, offset_seconds: int, begin: int) -> bytes:
    kind = _box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isomiso2mp41")
    scale = _timescale(tracks[0])
    edits = [_Edit.of(track, offset_seconds) for track in tracks]
    longest = max(edit.seconds(scale) for edit in edits)
    movie = struct.pack(">IQQIQIHH8x", 1 << 24, 0, 0, scale, longest, 0x10000, 0x100, 0)
    parts = [_box(b"mvhd", movie, _IDENTITY, bytes(24), struct.pack(">I", len(tracks) + 1))]
    sounds = 0
    for number, (track, edit) in enumerate(zip(tracks, edits, strict=True), start=1):
        is_sound = handler(one(_movie(track.init), b"trak")) == b"soun"
        sounds += is_sound
        # of several languages the first is heard
        flags = _IN_MOVIE | (0 if is_sound and sounds > 1 else _ENABLED)
        parts.append(_track(track, edit, number, flags, scale, begin))
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
            for duration, shift in zip(run.durations, run.shifts, strict=True):
                end = max(end, decode + shift + duration)
                decode += duration
        return cls(max(0, begin), end, max(0, -begin), scale)

    def seconds(self, scale: int) -> int:
        """How long it is, in ticks of that scale."""
        return (self.end - self.begin + self.late) * scale // self.timescale

    def entries(self, scale: int) -> bytes:
        """The list of edits (8.6.6) for a movie of that timescale."""
        shown = struct.pack(">QqI", (self.end - self.begin) * scale // self.timescale, self.begin, 1 << 16)
        late = struct.pack(">QqI", self.late * scale // self.timescale, -1, 1 << 16) if self.late else b""
        return struct.pack(">II", 1 << 24, 2 if late else 1) + late + shown


def _track(track: TrackSamples, edit: _Edit, number: int, flags: int, scale: int, begin: int) -> bytes:
    source = one(_movie(track.init), b"trak")
    shape = one(source, b"tkhd")
    # layer, group, volume, matrix, width and height stand behind times whose length is the version's
    rest = bytes(shape[-60:])
    head = struct.pack(">IQQII Q", 1 << 24 | flags, 0, 0, number, 0, edit.seconds(scale))
    media = one(source, b"mdia", b"mdhd")
    language = bytes(media[-4:])
    length = sum(sum(run.durations) for run in track.runs)
    information = [_box(kind, bytes(body)) for kind, body in boxes(one(source, b"mdia", b"minf")) if kind != b"stbl"]
    tables = _box(
        b"stbl", _box(b"stsd", bytes(one(source, b"mdia", b"minf", b"stbl", b"stsd"))), *_tables(track, begin)
    )
    return _box(
        b"trak",
        _box(b"tkhd", head, rest),
        _box(b"edts", _box(b"elst", edit.entries(scale))),
        _box(
            b"mdia",
            _box(b"mdhd", struct.pack(">IQQIQ", 1 << 24, 0, 0, edit.timescale, length), language),
            _box(b"hdlr", bytes(one(source, b"mdia", b"hdlr"))),
            _box(b"minf", *information, tables),
        ),
    )


def _tables(track: TrackSamples, begin: int) -> Iterator[bytes]:
    """The index of the samples (8.6, 8.7), whose segments begin so many bytes into the file."""
    runs = list(track.runs)
    yield _counted(b"stts", _repeated(duration for run in runs for duration in run.durations))
    shifts = [shift for run in runs for shift in run.shifts]
    if any(shifts):
        entries = [struct.pack(">Ii", count, shift) for count, shift in _lengths(shifts)]
        yield _box(b"ctts", struct.pack(">II", 1 << 24, len(entries)), *entries)
    syncs = [sync for run in runs for sync in run.syncs]
    if not all(syncs):
        yield _counted(b"stss", [struct.pack(">I", number) for number, sync in enumerate(syncs, start=1) if sync])
    yield _counted(b"stsc", list(_chunks(runs)))
    sizes = [size for run in runs for size in run.sizes]
    yield _box(b"stsz", struct.pack(f">III{len(sizes)}I", 0, 0, len(sizes), *sizes))
    places = [begin + place + run.offset for place, found in track.segments for run in found]
    yield _counted(b"co64", [struct.pack(">Q", place) for place in places])


def _chunks(runs: Sequence[Samples]) -> Iterator[bytes]:
    """How many samples each chunk has, from which on: a run is a chunk."""
    number = 1
    for count, many in groupby(len(run.sizes) for run in runs):
        yield struct.pack(">III", number, count, 1)
        number += len(list(many))


def _repeated(values: Iterable[int]) -> list[bytes]:
    return [struct.pack(">II", count, value) for count, value in _lengths(values)]


def _lengths(values: Iterable[int]) -> Iterator[tuple[int, int]]:
    return ((len(list(same)), value) for value, same in groupby(values))


def _counted(kind: bytes, entries: Sequence[bytes]) -> bytes:
    return _box(kind, struct.pack(">II", 0, len(entries)), *entries)


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


def _fragment(moof: memoryview, place: int, defaults: memoryview) -> Iterator[Samples]:
    """The runs of a fragment that begins at that place of its segment."""
    head = one(moof, b"traf", b"tfhd")
    duration, size, flags = _defaults(head, defaults)
    time_box = one(moof, b"traf", b"tfdt")
    decode_time = struct.unpack_from(">Q", time_box, 4)[0] if time_box[0] == 1 else u32(time_box, 4)
    for run in children(moof, b"traf", b"trun"):
        samples = _run(run, decode_time, place, (duration, size, flags))
        decode_time += sum(samples.durations)
        yield samples


def _defaults(head: memoryview, movie: memoryview) -> tuple[int, int, int]:
    """Duration, size and flags of samples that do not tell them: of the fragment (8.8.7), else of the movie (8.8.3)."""
    present = u32(head, 0) & 0xFFFFFF
    values = {0x8: u32(movie, 12), 0x10: u32(movie, 16), 0x20: u32(movie, 20)}
    position = 8 + (8 if present & 0x1 else 0) + (4 if present & 0x2 else 0)
    for flag in values:
        if present & flag:
            values[flag] = u32(head, position)
            position += 4
    return values[0x8], values[0x10], values[0x20]


def _run(run: memoryview, decode_time: int, place: int, defaults: tuple[int, int, int]) -> Samples:
    """A track run (8.8.8)."""
    present, count = u32(run, 0) & 0xFFFFFF, u32(run, 4)
    if not present & 0x1:
        raise BadBoxes("a track run does not tell where its samples are")
    offset, position = struct.unpack_from(">i", run, 8)[0], 12
    first = None
    if present & 0x4:
        first, position = u32(run, position), position + 4
    fields = [flag for flag in (0x100, 0x200, 0x400, 0x800) if present & flag]
    if position + 4 * len(fields) * count > len(run):
        raise BadBoxes("a track run is cut off")
    signed = "i" if run[0] else "I"
    layout = ">" + "".join(signed if flag == 0x800 else "I" for flag in fields)
    rows = list(struct.iter_unpack(layout, run[position : position + 4 * len(fields) * count])) if fields else []
    columns = dict(zip(fields, zip(*rows, strict=True), strict=True)) if rows else {}
    flags = list(columns.get(0x400, (defaults[2],) * count))
    if first is not None and flags:
        flags[0] = first
    return Samples(
        decode_time,
        place + offset,
        columns.get(0x100, (defaults[0],) * count),
        columns.get(0x200, (defaults[1],) * count),
        columns.get(0x800, (0,) * count),
        tuple(not value & _NON_SYNC for value in flags),
    )
