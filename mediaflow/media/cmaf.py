"""Reads CMAF init and media segments (ISO/IEC 23000-19): what manifests tell of them, and what a check needs.

Only headers are read, never the media data, so that a check costs the same for any bit rate.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, cast

from mediaflow.domain.errors import TaskFailed
from mediaflow.domain.presentation import TrackKind
from mediaflow.media.boxes import (
    BadBoxes,
    boxes,
    children,
    handler,
    name_of,
    one,
    top_level,
    track_id,
    u32,
    u32_behind_times,
)
from mediaflow.media.codecs import sample_facts

_NON_SYNC: Final = 0x00010000
"""sample_is_non_sync_sample in sample flags (14496-12, 8.8.3.1)."""
_TRUN_FIELDS: Final = (0x100, 0x200, 0x400, 0x800)
"""Flags of a track run's four per-sample fields: duration, size, flags, composition offset (8.8.8)."""
_HANDLERS: Final = {b"vide": "video", b"soun": "audio"}


@dataclass(frozen=True, slots=True)
class InitSegment:
    """What an init segment says of its one track. `codecs` is the RFC 6381 string; `timescale` is ticks a second.

    Video has `width` and `height` in pixels, audio `channels` and `sample_rate_hz`. The defaults are of samples whose
    segment does not tell their duration (ticks) or flags.
    """

    kind: TrackKind
    timescale: int
    codecs: str
    default_duration: int = 0
    default_flags: int = 0
    track_id: int = 1
    width: int = 0
    height: int = 0
    channels: int = 0
    sample_rate_hz: int = 0


@dataclass(frozen=True, slots=True)
class MediaSegment:
    """What a media segment says: times in ticks of the track's timescale."""

    decode_time: int
    duration: int
    sample_count: int
    starts_with_sync: bool
    size_bytes: int


def read_init(path: Path) -> InitSegment:
    """The facts of an init segment of one track.

    TaskFailed (`job.bad_output`) names the file and what is wrong: it is missing, broken, no init segment, has several
    tracks, or a codec that is not known (see `media/codecs.py`).
    """
    with _named(path):
        top = dict(top_level(path, keep=(b"moov",)))
        if b"ftyp" not in top or b"moov" not in top or b"mdat" in top or b"moof" in top:
            raise BadBoxes("this is no init segment")
        movie = memoryview(top[b"moov"])
        tracks = list(children(movie, b"trak"))
        if len(tracks) != 1:
            raise BadBoxes(f"there are {len(tracks)} tracks instead of one")
        return _track(movie, tracks[0])


def read_segment(path: Path, init: InitSegment) -> MediaSegment:
    """The facts of a media segment of the init segment's track.

    TaskFailed (`job.bad_output`) names the file and what is wrong: it is missing, cut off, without a fragment or media,
    with a gap between its fragments, or of another track.
    """
    with _named(path):
        found = list(top_level(path, keep=(b"moof",)))
        fragments = [body for kind, body in found if kind == b"moof"]
        media = sum(kind == b"mdat" for kind, _ in found)
        if not fragments or media != len(fragments):
            raise BadBoxes(f"there are {len(fragments)} fragments and {media} pieces of media data")
        runs = [_fragment(memoryview(body), init) for body in fragments]
        for before, after in pairwise(runs):
            if after.decode_time != before.decode_time + before.duration:
                raise BadBoxes("there is a gap between its fragments")
        size, count = path.stat().st_size, sum(run.sample_count for run in runs)
        if count > size:
            raise BadBoxes(f"it claims {count} samples in {size} bytes")
        return MediaSegment(
            runs[0].decode_time, sum(run.duration for run in runs), count, runs[0].starts_with_sync, size
        )


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Whatever is wrong inside leaves with the file's name, and its directory's (the track's)."""
    try:
        yield
    except FileNotFoundError as error:
        raise bad_output(f"{path.parent.name}/{path.name} is missing") from error
    except (struct.error, IndexError) as error:
        raise bad_output(f"{path.parent.name}/{path.name}: a box is cut off") from error
    except BadBoxes as error:
        raise bad_output(f"{path.parent.name}/{path.name}: {error}") from error


def bad_output(detail: str) -> TaskFailed:
    """The error of a file that is not as it should be."""
    return TaskFailed(f"The output is not as planned: {detail}", code="job.bad_output")


def _track(movie: memoryview, track: memoryview) -> InitSegment:
    timescale = u32_behind_times(one(track, b"mdia", b"mdhd"))
    if not timescale:
        raise BadBoxes("its timescale is 0")
    entries = list(boxes(one(track, b"mdia", b"minf", b"stbl", b"stsd")[8:]))
    if len(entries) != 1:
        raise BadBoxes(f"there are {len(entries)} descriptions of samples instead of one")
    sample = sample_facts(*entries[0])
    kind = handler(track)
    if _HANDLERS.get(kind) != sample.kind:
        raise BadBoxes(f"it is a track of {name_of(kind)} with samples of {sample.codecs}")
    defaults = one(movie, b"mvex", b"trex")
    return InitSegment(
        kind=cast("TrackKind", sample.kind),
        timescale=timescale,
        codecs=sample.codecs,
        default_duration=u32(defaults, 12),
        default_flags=u32(defaults, 20),
        track_id=track_id(track),
        width=sample.width,
        height=sample.height,
        channels=sample.channels,
        sample_rate_hz=sample.sample_rate_hz,
    )


def _fragment(moof: memoryview, init: InitSegment) -> MediaSegment:
    """One fragment of one track; its size is not known here (0)."""
    header = one(moof, b"traf", b"tfhd")
    if (track := u32(header, 4)) != init.track_id:
        raise BadBoxes(f"it is of track {track}, the init segment of track {init.track_id}")
    duration, flags = _fragment_defaults(header, init)
    time_box = one(moof, b"traf", b"tfdt")
    decode_time = struct.unpack_from(">Q", time_box, 4)[0] if time_box[0] == 1 else u32(time_box, 4)
    runs = [_run(run, duration, flags) for run in children(moof, b"traf", b"trun")]
    first_flags = next((first for _, count, first in runs if count), None)
    if first_flags is None:
        raise BadBoxes("there is a fragment without samples")
    total, count = sum(length for length, _, _ in runs), sum(count for _, count, _ in runs)
    return MediaSegment(decode_time, total, count, not first_flags & _NON_SYNC, 0)


def _fragment_defaults(header: memoryview, init: InitSegment) -> tuple[int, int]:
    """Default sample duration and flags: of the fragment (8.8.7), else of the movie."""
    present = u32(header, 0) & 0xFFFFFF
    values = {0x8: init.default_duration, 0x20: init.default_flags}
    position = 8 + (8 if present & 0x1 else 0) + (4 if present & 0x2 else 0)
    for flag in (0x8, 0x10, 0x20):
        if present & flag:
            values[flag] = u32(header, position)
            position += 4
    return values[0x8], values[0x20]


def _run(run: memoryview, duration: int, flags: int) -> tuple[int, int, int]:
    """Duration and number of the samples of a track run (8.8.8), and the first one's flags.

    Samples are looked at one by one only where each has a field of its own: their number may be a lie.
    """
    present, count = u32(run, 0) & 0xFFFFFF, u32(run, 4)
    position = 8 + (4 if present & 0x1 else 0)
    first = flags
    if present & 0x4:
        first = u32(run, position)
        position += 4
    step = 4 * sum(1 for flag in _TRUN_FIELDS if present & flag)
    if position + step * count > len(run):
        raise BadBoxes("a track run is cut off")
    if present & 0x400 and not present & 0x4 and count:
        first = u32(run, position + 4 * sum(1 for flag in _TRUN_FIELDS[:2] if present & flag))
    if not present & 0x100:
        return duration * count, count, first
    return sum(u32(run, position + step * number) for number in range(count)), count, first
