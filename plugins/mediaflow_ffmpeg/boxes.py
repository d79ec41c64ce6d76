"""Reads what verification needs from CMAF files: ISO/IEC 14496-12 (boxes), 14496-15 (avcC), 14496-1 (esds).

Only headers are read, never the media data, so that a check costs the same for any bitrate.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final

_NON_SYNC: Final = 0x00010000
"""sample_is_non_sync_sample in sample flags (14496-12, 8.8.3.1)."""
_TRUN_FIELDS: Final = (0x100, 0x200, 0x400, 0x800)
"""Flags of a track run's four per-sample fields: duration, size, flags, composition offset (8.8.8)."""
_MAX_HEADER_BYTES: Final = 64 * 1024 * 1024


class BadBoxesError(ValueError):
    """The file is not what it should be; the text says where."""


@dataclass(frozen=True, slots=True)
class InitFacts:
    """What an init segment says of its one track. `codecs` is the RFC 6381 string."""

    handler: str
    timescale: int
    codecs: str
    default_duration: int
    default_flags: int
    width: int = 0
    height: int = 0
    channels: int = 0
    sample_rate_hz: int = 0


@dataclass(frozen=True, slots=True)
class SegmentFacts:
    """What a media segment says: times in ticks of the track's timescale."""

    decode_time: int
    duration: int
    sample_count: int
    starts_with_sync: bool
    size_bytes: int


def read_init(path: Path) -> InitFacts:
    """The facts of an init segment. Raises BadBoxesError when it is none, or has more than one track."""
    with path.open("rb") as file:
        top = dict(_top_level(file, path.stat().st_size, keep=(b"moov",)))
    if b"ftyp" not in top or b"moov" not in top or b"mdat" in top or b"moof" in top:
        raise BadBoxesError(f"{path.name} is no init segment")
    movie = memoryview(top[b"moov"])
    tracks = list(_children(movie, b"trak"))
    if len(tracks) != 1:
        raise BadBoxesError(f"{path.name} has {len(tracks)} tracks instead of one")
    return _track(movie, tracks[0])


def read_segment(path: Path, init: InitFacts) -> SegmentFacts:
    """The facts of a media segment. Raises BadBoxesError when a box is cut off or there is no fragment or no media."""
    size = path.stat().st_size
    fragments: list[bytes] = []
    media = 0
    with path.open("rb") as file:
        for kind, body in _top_level(file, size, keep=(b"moof",)):
            if kind == b"moof":
                fragments.append(body)
            media += kind == b"mdat"
    if not fragments or media != len(fragments):
        raise BadBoxesError(f"{path.name} has {len(fragments)} fragments and {media} pieces of media data")
    runs = [_fragment(memoryview(body), init, path.name) for body in fragments]
    for before, after in pairwise(runs):
        if after.decode_time != before.decode_time + before.duration:
            raise BadBoxesError(f"{path.name} has a gap between its fragments")
    return SegmentFacts(
        runs[0].decode_time,
        sum(run.duration for run in runs),
        sum(run.sample_count for run in runs),
        runs[0].starts_with_sync,
        size,
    )


def _top_level(file: BinaryIO, size: int, keep: tuple[bytes, ...]) -> Iterator[tuple[bytes, bytes]]:
    """Type and body of each top-level box; the body is read for the types to `keep` only, else it is empty."""
    position = 0
    while position < size:
        file.seek(position)
        header = file.read(16)
        length, kind, start = _header(header, size - position)
        if not start <= length <= size - position:
            raise BadBoxesError(f"the box {kind!r} at byte {position} is cut off")
        body = b""
        if kind in keep:
            if length > _MAX_HEADER_BYTES:
                raise BadBoxesError(f"the box {kind!r} has {length} bytes")
            file.seek(position + start)
            body = file.read(length - start)
        yield kind, body
        position += length


def _header(data: bytes | memoryview, rest: int) -> tuple[int, bytes, int]:
    """Length, type and header size of the box that begins here; `rest` is how much there is in all."""
    if len(data) < 8:
        raise BadBoxesError("a box header is cut off")
    length, kind = struct.unpack_from(">I4s", data)
    if length == 1 and len(data) >= 16:
        return struct.unpack_from(">Q", data, 8)[0], kind, 16
    return (rest if length == 0 else length), kind, 8


def _children(data: memoryview, *path: bytes) -> Iterator[memoryview]:
    """The bodies of all boxes at that path of types below the data."""
    if not path:
        yield data
        return
    while data:
        length, kind, start = _header(data, len(data))
        if not start <= length <= len(data):
            raise BadBoxesError(f"the box {kind!r} is cut off")
        if kind == path[0]:
            yield from _children(data[start:length], *path[1:])
        data = data[length:]


def _one(data: memoryview, *path: bytes) -> memoryview:
    for found in _children(data, *path):
        return found
    raise BadBoxesError(f"the box {b'/'.join(path).decode()} is missing")


def _track(movie: memoryview, track: memoryview) -> InitFacts:
    header = _one(track, b"mdia", b"mdhd")
    timescale = _u32(header, 20 if header[0] == 1 else 12)
    handler = bytes(_one(track, b"mdia", b"hdlr")[8:12]).decode("latin1")
    defaults = _one(movie, b"mvex", b"trex")
    duration, flags = _u32(defaults, 12), _u32(defaults, 20)
    entries = _one(track, b"mdia", b"minf", b"stbl", b"stsd")[8:]
    for entry in _children(entries, b"avc1"):
        width, height = struct.unpack_from(">HH", entry, 24)
        codecs = f"avc1.{bytes(_one(entry[78:], b'avcC')[1:4]).hex()}"
        return InitFacts(handler, timescale, codecs, duration, flags, width=width, height=height)
    for entry in _children(entries, b"mp4a"):
        # the entry's own channel count is 2 in every file (14496-12, 12.2.3.2); the configuration tells the truth
        codecs, channels = _aac_facts(bytes(_one(entry[28:], b"esds")[4:]))
        rate = _u32(entry, 24) >> 16
        return InitFacts(handler, timescale, codecs, duration, flags, channels=channels, sample_rate_hz=rate)
    raise BadBoxesError("the track is neither H.264 nor AAC")


def _aac_facts(descriptors: bytes) -> tuple[str, int]:
    """`mp4a.40.<audio object type>` and channels, from the DecoderConfig (tag 4) and DecoderSpecificInfo (tag 5)."""
    object_type, position = 0, 0
    while position < len(descriptors):
        tag = descriptors[position]
        position, length = _descriptor_length(descriptors, position + 1)
        if tag == 3:  # ES_Descriptor: id and flags; ffmpeg sets none of the optional parts
            position += 3
        elif tag == 4:  # DecoderConfigDescriptor: thirteen bytes, then its children
            object_type = descriptors[position]
            position += 13
        elif tag == 5:
            config = int.from_bytes(descriptors[position : position + 2])
            if config >> 7 & 0xF == 0xF:
                raise BadBoxesError("the AAC track has an unusual sample rate")
            # AudioSpecificConfig (14496-3): five bits of object type, four of rate index, four of channels
            return f"mp4a.{object_type:02x}.{config >> 11}", config >> 3 & 0xF
        else:
            position += length
    raise BadBoxesError("the AAC track has no decoder configuration")


def _descriptor_length(data: bytes, position: int) -> tuple[int, int]:
    """Where the descriptor's body begins and how long it is: seven bits a byte, the eighth says that more follow."""
    length = 0
    while True:
        byte = data[position]
        position += 1
        length = length << 7 | byte & 0x7F
        if not byte & 0x80:
            return position, length


def _fragment(moof: memoryview, init: InitFacts, name: str) -> SegmentFacts:
    """One fragment of one track; its size is not known here (0)."""
    header = _one(moof, b"traf", b"tfhd")
    duration, flags = _fragment_defaults(header, init)
    time_box = _one(moof, b"traf", b"tfdt")
    decode_time = struct.unpack_from(">Q", time_box, 4)[0] if time_box[0] == 1 else _u32(time_box, 4)
    total, count, first_flags = 0, 0, None
    for run in _children(moof, b"traf", b"trun"):
        samples = list(_samples(run, duration, flags))
        total += sum(length for length, _ in samples)
        count += len(samples)
        if first_flags is None and samples:
            first_flags = samples[0][1]
    if first_flags is None:
        raise BadBoxesError(f"{name} has a fragment without samples")
    return SegmentFacts(decode_time, total, count, not first_flags & _NON_SYNC, 0)


def _fragment_defaults(header: memoryview, init: InitFacts) -> tuple[int, int]:
    """Default sample duration and flags: of the fragment (8.8.7), else of the movie."""
    present = _u32(header, 0) & 0xFFFFFF
    values = {0x8: init.default_duration, 0x20: init.default_flags}
    position = 8 + (8 if present & 0x1 else 0) + (4 if present & 0x2 else 0)
    for flag in (0x8, 0x10, 0x20):
        if present & flag:
            values[flag] = _u32(header, position)
            position += 4
    return values[0x8], values[0x20]


def _samples(run: memoryview, duration: int, flags: int) -> Iterator[tuple[int, int]]:
    """Duration and flags of each sample of a track run."""
    present, count = _u32(run, 0) & 0xFFFFFF, _u32(run, 4)
    position = 8 + (4 if present & 0x1 else 0)
    first_flags = None
    if present & 0x4:
        first_flags = _u32(run, position)
        position += 4
    step = 4 * sum(1 for flag in _TRUN_FIELDS if present & flag)
    flags_at = 4 * sum(1 for flag in _TRUN_FIELDS[:2] if present & flag)
    if position + step * count > len(run):
        raise BadBoxesError("a track run is cut off")
    for number in range(count):
        at = position + step * number
        own = _u32(run, at + flags_at) if present & 0x400 else flags
        if number == 0 and first_flags is not None:
            own = first_flags
        yield (_u32(run, at) if present & 0x100 else duration), own


def _u32(data: memoryview | bytes, offset: int) -> int:
    value: int = struct.unpack_from(">I", data, offset)[0]
    return value
