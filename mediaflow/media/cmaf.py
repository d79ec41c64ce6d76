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
from mediaflow.media.fragments import NON_SYNC, Defaults, runs_of

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
        size = path.stat().st_size
        runs = [_fragment(memoryview(body), init, size) for body in fragments]
        for before, after in pairwise(runs):
            if after.decode_time != before.decode_time + before.duration:
                raise BadBoxes("there is a gap between its fragments")
        count = sum(run.sample_count for run in runs)
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
    defaults = Defaults.of_movie(one(movie, b"mvex", b"trex"))
    return InitSegment(
        kind=cast("TrackKind", sample.kind),
        timescale=timescale,
        codecs=sample.codecs,
        default_duration=defaults.duration,
        default_flags=defaults.flags,
        track_id=track_id(track),
        width=sample.width,
        height=sample.height,
        channels=sample.channels,
        sample_rate_hz=sample.sample_rate_hz,
    )


def _fragment(moof: memoryview, init: InitSegment, size_bytes: int) -> MediaSegment:
    """One fragment of one track; its size is not known here (0)."""
    if (track := u32(one(moof, b"traf", b"tfhd"), 4)) != init.track_id:
        raise BadBoxes(f"it is of track {track}, the init segment of track {init.track_id}")
    defaults = Defaults(init.default_duration, 0, init.default_flags)
    runs = [run for run in runs_of(moof, defaults, size_bytes) if run.sizes]
    if not runs:
        raise BadBoxes("there is a fragment without samples")
    count = sum(len(run.sizes) for run in runs)
    starts_with_sync = not runs[0].flags[0] & NON_SYNC
    return MediaSegment(runs[0].decode_time, sum(run.duration for run in runs), count, starts_with_sync, 0)
