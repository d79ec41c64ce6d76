"""A whole encoded track as files of a directory, read back: nothing leaves a step before it was found whole."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from mediaflow.domain.plan import SegmentGrid
from mediaflow.domain.presentation import MEDIA_OFFSET_SECONDS, Artifact, Track
from mediaflow.media.cmaf import InitSegment, MediaSegment, bad_output, read_init, read_segment

INIT_NAME: Final = "init.mp4"
CONTENT_TYPES: Final = {"video": "video/mp4", "audio": "audio/mp4"}


@dataclass(frozen=True, slots=True)
class WrittenTrack:
    """The files of one track as read back by `read_track`. `name` is its directory's, `first` its first segment's
    number: 0, or where a span begins.
    """

    name: str
    directory: Path
    init: InitSegment
    first: int
    segments: tuple[MediaSegment, ...]

    @property
    def duration_seconds(self) -> Fraction:
        """The sum of all samples."""
        return Fraction(sum(segment.duration for segment in self.segments), self.init.timescale)

    @property
    def frame_count(self) -> int:
        """All samples."""
        return sum(segment.sample_count for segment in self.segments)

    def start_seconds(self, position: int) -> Fraction:
        """When the segment at that position (0: the first that this track has) begins, in presentation time."""
        return Fraction(self.segments[position].decode_time, self.init.timescale) - MEDIA_OFFSET_SECONDS

    def path(self, position: int) -> Path:
        """The file of the segment at that position."""
        return self.directory / f"{self.first + position:05d}.m4s"

    def check_grid(self, grid: SegmentGrid) -> None:
        """Video segments begin exactly where the grid says and hold its number of frames, the last one perhaps fewer:
        only so can players change between renditions. TaskFailed (`job.bad_output`) says what is off.
        """
        start = self.start_seconds(0)
        if start != grid.first_frame(self.first) / grid.frame_rate:
            raise bad_output(f"{self.name} begins at {float(start):.6f} s, off the segments' grid")
        counts = [segment.sample_count for segment in self.segments]
        planned = grid.frames_of(self.first, len(counts))
        if counts[:-1] != planned[:-1] or counts[-1] > planned[-1]:
            raise bad_output(f"{self.name} has segments of {counts[:9]} frames instead of {planned[:9]}")

    def describe(
        self,
        *,
        frame_rate: Fraction | None = None,
        audio_group: str | None = None,
        language: str | None = None,
        label: str | None = None,
    ) -> Track:
        """The track for manifests: what its init segment tells, and what only its step knows (see `Track`)."""
        init = self.init
        return Track(
            self.name,
            init.kind,
            init.codecs,
            init.timescale,
            width=init.width or None,
            height=init.height or None,
            frame_rate=frame_rate,
            channels=init.channels or None,
            sample_rate_hz=init.sample_rate_hz or None,
            language=language,
            audio_group=audio_group,
            label=label,
        )

    def artifacts(self, track: Track) -> list[Artifact]:
        """The init segment and the segments, in order; durations are measured from the samples.

        Paths begin with the track's name: its directory lies in the step's own.
        """
        content_type = CONTENT_TYPES[track.kind]
        size = (self.directory / INIT_NAME).stat().st_size
        found = [Artifact(f"{self.name}/{INIT_NAME}", "init", content_type, size, track=self.name, describes=track)]
        for position, segment in enumerate(self.segments):
            found.append(
                Artifact(
                    f"{self.name}/{self.path(position).name}",
                    "segment",
                    content_type,
                    segment.size_bytes,
                    track=self.name,
                    number=self.first + position,
                    duration_seconds=float(Fraction(segment.duration, self.init.timescale)),
                )
            )
        return found


def read_track(directory: Path, *, first: int = 0) -> WrittenTrack:
    """The track whose files lie in the directory: `init.mp4`, and segments `00000.m4s`, `00001.m4s`, ... from number
    `first` on.

    TaskFailed (`job.bad_output`) says what is wrong: a number is missing, a file is broken or of another track than the
    init segment, times do not continue from one segment to the next, or one does not begin with a sync sample.
    """
    found = sorted(directory.glob("*.m4s"))
    wanted = [f"{first + position:05d}.m4s" for position in range(len(found))]
    if not found or [path.name for path in found] != wanted:
        names = f"{[path.name for path in found][:3]}..., not {wanted[:3]}..." if found else "none"
        raise bad_output(f"{directory.name} has the segments {names}")
    init = read_init(directory / INIT_NAME)
    track = WrittenTrack(directory.name, directory, init, first, tuple(read_segment(path, init) for path in found))
    _check_continuous(track)
    return track


def _check_continuous(track: WrittenTrack) -> None:
    expected = track.segments[0].decode_time
    for position, segment in enumerate(track.segments):
        place = f"{track.name}/{track.path(position).name}"
        if segment.decode_time != expected:
            raise bad_output(f"{place} begins at tick {segment.decode_time} instead of {expected}")
        if not segment.starts_with_sync:
            raise bad_output(f"{place} does not begin with a key frame")
        if segment.duration <= 0:
            raise bad_output(f"{place} lasts no time")
        expected += segment.duration
