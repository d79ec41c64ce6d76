"""The gate: nothing leaves a step before its files were read back and found whole, aligned and long enough."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from mediaflow.plugin import MEDIA_OFFSET_SECONDS, Artifact, TaskFailed, Track
from mediaflow_ffmpeg.boxes import BadBoxesError, InitFacts, SegmentFacts, read_init, read_segment
from mediaflow_ffmpeg.encoding import undecodable

INIT_NAME: Final = "init.mp4"
SEGMENT_TYPES: Final = {"video": "video/mp4", "audio": "audio/mp4"}

_LEAST_MISSING_SECONDS: Final = 1.0
_MISSING_SHARE: Final = 0.02


@dataclass(frozen=True, slots=True)
class WrittenTrack:
    """The files of one rendition as read back: `first` is its first segment's number."""

    name: str
    directory: Path
    init: InitFacts
    first: int
    segments: tuple[SegmentFacts, ...]

    @property
    def duration_seconds(self) -> Fraction:
        """The sum of all samples."""
        return Fraction(sum(segment.duration for segment in self.segments), self.init.timescale)

    def start_seconds(self, number: int) -> Fraction:
        """When the segment begins, in presentation time."""
        return Fraction(self.segments[number].decode_time, self.init.timescale) - MEDIA_OFFSET_SECONDS

    def path(self, position: int) -> Path:
        """The file of the segment at that position (0: the first that this track has)."""
        return self.directory / f"{self.first + position:05d}.m4s"

    def artifacts(self, track: Track) -> list[Artifact]:
        """The init segment and the segments, in order; durations are measured from the samples."""
        content_type = SEGMENT_TYPES[track.kind]
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


def read_tracks(directory: Path, names: Sequence[str], first: int) -> list[WrittenTrack]:
    """Each rendition's files: complete, without a gap in number or time, each beginning with a key frame."""
    tracks = [_read_track(directory / name, first) for name in names]
    for track in tracks:
        _check_continuous(track)
        if len(track.segments) != len(tracks[0].segments):
            raise _bad(f"{track.name} has {len(track.segments)} segments, {tracks[0].name} {len(tracks[0].segments)}")
    return tracks


def _read_track(directory: Path, first: int) -> WrittenTrack:
    _settle_init(directory)
    found = sorted(directory.glob("*.m4s"))
    wanted = [f"{first + position:05d}.m4s" for position in range(len(found))]
    if not found or [path.name for path in found] != wanted:
        raise _bad(f"{directory.name} has the segments {[path.name for path in found][:3]}..., not {wanted[:3]}...")
    try:
        init = read_init(directory / INIT_NAME)
        segments = tuple(read_segment(path, init) for path in found)
    except (BadBoxesError, FileNotFoundError, struct.error) as error:
        said = f"{INIT_NAME} is missing" if isinstance(error, FileNotFoundError) else error
        raise _bad(f"{directory.name}: {said}") from error
    return WrittenTrack(directory.name, directory, init, first, segments)


def _settle_init(directory: Path) -> None:
    """Give the init segment its name: with several variants the HLS muxer numbers them, and its playlist tells how."""
    playlist = directory / "index.m3u8"
    if not playlist.is_file():
        return
    for line in playlist.read_text().splitlines():
        if line.startswith('#EXT-X-MAP:URI="'):
            (directory / line.split('"')[1]).rename(directory / INIT_NAME)
    playlist.unlink()


def _check_continuous(track: WrittenTrack) -> None:
    expected = track.segments[0].decode_time
    for position, segment in enumerate(track.segments):
        if segment.decode_time != expected:
            raise _bad(f"{track.path(position)} begins at tick {segment.decode_time} instead of {expected}", track)
        if not segment.starts_with_sync:
            raise _bad(f"{track.path(position)} does not begin with a key frame", track)
        expected += segment.duration


def check_grid(tracks: Sequence[WrittenTrack], segment_frames: int, segment_seconds: Fraction) -> None:
    """Video segments begin exactly where the grid says, in every rendition, and hold the grid's number of frames."""
    for track in tracks:
        start = track.start_seconds(0)
        if start != track.first * segment_seconds:
            raise _bad(f"{track.name} begins at {float(start):.6f} s, off the segments' grid")
        counts = [segment.sample_count for segment in track.segments]
        if any(count != segment_frames for count in counts[:-1]) or not 0 < counts[-1] <= segment_frames:
            raise _bad(f"{track.name} has segments of {counts[:9]} frames instead of {segment_frames}")
        if counts[-1] != tracks[0].segments[-1].sample_count:
            raise _bad(f"{track.name} ends {counts[-1]} frames into its last segment, {tracks[0].name} elsewhere")


def check_spacing(tracks: Sequence[WrittenTrack], segment_seconds: Fraction, tolerance_seconds: float) -> None:
    """Audio segments begin where the video's do, within a coded frame: AAC frames fall where they fall."""
    for track in tracks:
        for position in range(len(track.segments)):
            off = float(track.start_seconds(position) - position * segment_seconds)
            if abs(off) > tolerance_seconds:
                raise _bad(f"{track.path(position)} begins {off:+.3f} s off its place", track)


def too_short(track: WrittenTrack, expected_seconds: float) -> bool:
    """True when more is missing than damage may cost."""
    missing = expected_seconds - float(track.duration_seconds)
    return missing > max(_LEAST_MISSING_SECONDS, _MISSING_SHARE * expected_seconds)


def check_length(track: WrittenTrack, expected_seconds: float) -> None:
    """The output is as long as the source's packets promise, less at most a second or 2 %: damage may cost so much.

    Less than that was not decoded, and half a film must not be published as a whole one (MediaRejected).
    """
    if too_short(track, expected_seconds):
        decoded = float(track.duration_seconds)
        raise undecodable(f"only {decoded:.1f} s of {expected_seconds:.1f} s can be decoded")


def _bad(detail: str, track: WrittenTrack | None = None) -> TaskFailed:
    if track is not None:
        detail = detail.replace(f"{track.directory.parent}/", "")
    return TaskFailed(f"ffmpeg's output is not as planned: {detail}", code="job.bad_output")
