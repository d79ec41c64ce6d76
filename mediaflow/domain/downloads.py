"""A film as one file to keep, which is put together of what streams are made of whenever somebody fetches it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from typing import Literal

DownloadFormat = Literal["mp4"]
"""An MP4 file with its index at the beginning, of one rendition with its sound."""


@dataclass(frozen=True, slots=True)
class DownloadSegment:
    """A media segment: the path of its object below the asset's prefix, its bytes, and how long it lasts."""

    path: str
    size_bytes: int
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class DownloadTrack:
    """A track of the file, all of it stored."""

    init: str
    segments: tuple[DownloadSegment, ...]

    @property
    def times(self) -> Iterator[tuple[float, int]]:
        """When each segment begins, and its number."""
        at = 0.0
        for number, segment in enumerate(self.segments):
            yield at, number
            at += segment.duration_seconds


@dataclass(frozen=True, slots=True)
class Download:
    """What a download is put together of. The picture, where there is one, is the first track."""

    tracks: tuple[DownloadTrack, ...]
    offset_seconds: int

    @property
    def media_bytes(self) -> int:
        """All segments together."""
        return sum(segment.size_bytes for track in self.tracks for segment in track.segments)

    @property
    def order(self) -> Iterator[tuple[int, int]]:
        """Track and number of each segment as they follow one another in the file: in the order of time, so that a
        player that fetches it from the beginning has picture and sound together.
        """
        begins = ([(at, track, number) for at, number in each.times] for track, each in enumerate(self.tracks))
        return ((track, number) for _, track, number in merge(*begins))
