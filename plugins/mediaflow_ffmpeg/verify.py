"""The gate: nothing leaves a step before its files were read back and found whole, aligned and long enough."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final

from mediaflow.plugin import SegmentGrid, TaskFailed, WrittenTrack, read_track
from mediaflow_ffmpeg.encoding import undecodable
from mediaflow_ffmpeg.initsegment import settle
from mediaflow_ffmpeg.jobs import INIT_NAME

_LEAST_MISSING_SECONDS: Final = 1.0
_MISSING_SHARE: Final = 0.02


def read_tracks(directory: Path, names: Sequence[str], first: int) -> list[WrittenTrack]:
    """Each rendition's files: complete, without a gap in number or time, each beginning with a key frame."""
    for name in names:
        _settle_init(directory / name)
    tracks = [read_track(directory / name, first=first) for name in names]
    for track in tracks:
        if len(track.segments) != len(tracks[0].segments):
            raise _bad(f"{track.name} has {len(track.segments)} segments, {tracks[0].name} {len(tracks[0].segments)}")
    return tracks


def _settle_init(directory: Path) -> None:
    """Give the init segment its name: with several variants the HLS muxer numbers them, and its playlist tells how."""
    playlist = directory / "index.m3u8"
    if not playlist.is_file():
        return
    for line in playlist.read_text().splitlines():
        if line.startswith('#EXT-X-MAP:URI="'):
            found = directory / line.split('"')[1]
            settle(found, directory / INIT_NAME)
            found.unlink()
    playlist.unlink()


def check_grid(tracks: Sequence[WrittenTrack], grid: SegmentGrid) -> None:
    """Video segments begin exactly where the grid says, in every rendition, which all end with the same frame."""
    for track in tracks:
        track.check_grid(grid)
        frames = track.segments[-1].sample_count
        if frames != tracks[0].segments[-1].sample_count:
            raise _bad(f"{track.name} ends {frames} frames into its last segment, {tracks[0].name} elsewhere")


def check_spacing(tracks: Sequence[WrittenTrack], segment_seconds: Fraction, tolerance_seconds: float) -> None:
    """Audio segments begin where the video's do, within a coded frame: AAC frames fall where they fall."""
    for track in tracks:
        for position in range(len(track.segments)):
            off = float(track.start_seconds(position) - position * segment_seconds)
            if abs(off) > tolerance_seconds:
                raise _bad(f"{track.name}/{track.path(position).name} begins {off:+.3f} s off its place")


def too_short(decoded_seconds: Fraction | float, expected_seconds: float) -> bool:
    """True when more is missing of the whole presentation than damage may cost."""
    missing = expected_seconds - float(decoded_seconds)
    return missing > max(_LEAST_MISSING_SECONDS, _MISSING_SHARE * expected_seconds)


def check_length(decoded_seconds: Fraction | float, expected_seconds: float) -> None:
    """The output is as long as the source's packets promise, less at most a second or 2 %: damage may cost so much.

    Less than that was not decoded, and half a film must not be published as a whole one (MediaRejected).
    """
    if too_short(decoded_seconds, expected_seconds):
        raise undecodable(f"only {float(decoded_seconds):.1f} s of {expected_seconds:.1f} s can be decoded")


def _bad(detail: str) -> TaskFailed:
    return TaskFailed(f"ffmpeg's output is not as planned: {detail}", code="job.bad_output")
