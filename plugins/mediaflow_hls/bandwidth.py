"""Bit rates as RFC 8216 defines them, measured from the segments themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mediaflow.plugin import Rendition


def target_duration(renditions: Sequence[Rendition]) -> int:
    """The longest segment of all renditions, rounded to the nearest second (RFC 8216, 4.3.3.1), at least 1.

    One value for all playlists: Apple's authoring specification wants it, and players switch more easily.
    """
    longest = max(segment.duration_seconds for rendition in renditions for segment in rendition.segments)
    return max(1, int(longest + 0.5))


def peak_bps(rendition: Rendition, target_seconds: int) -> int:
    """The largest bit rate of any run of segments that lasts 0.5 to 1.5 target durations (RFC 8216, 4.1)."""
    if rendition.foretold is not None:
        return rendition.foretold.peak_bps
    segments, peak = rendition.segments, 0.0
    for first in range(len(segments)):
        size, duration = 0, 0.0
        for segment in segments[first:]:
            size += segment.size_bytes
            duration += segment.duration_seconds
            if duration > 1.5 * target_seconds:
                break
            if duration >= 0.5 * target_seconds:
                peak = max(peak, 8 * size / duration)
    return max(math.ceil(peak), average_bps(rendition))


def average_bps(rendition: Rendition) -> int:
    """All the bits over all the seconds."""
    if rendition.foretold is not None:
        return rendition.foretold.average_bps
    segments = rendition.segments
    duration = sum(segment.duration_seconds for segment in segments)
    return math.ceil(8 * sum(segment.size_bytes for segment in segments) / duration) if duration > 0 else 0
