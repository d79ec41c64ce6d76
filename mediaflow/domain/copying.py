"""Which source is cut into segments as it is, in the place of its largest rendition. Pure; each rule has a row in its
test's table.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate, pairwise
from math import ceil
from typing import Final

from mediaflow.domain.media import MediaInfo, PictureGroups, VideoStream
from mediaflow.domain.plan import SegmentGrid, VideoRendition
from mediaflow.domain.profile import Profile

MEAN_SHARE: Final = Fraction(5, 9)
"""Of the cap: so much an encoder aims at in the mean, and so much may the source have; no group of it more than the
cap. What has more is not worth its bits beside what is made of it.
"""
SMALLER: Final = 0.65
"""The power of its share of the pixels that a smaller picture takes of the bits of a larger one."""
LEAST_SHARE: Final = 1 / 6
"""Of a smaller rendition's own cap, it keeps so much: what hardly moves, and then does, has few bits only where an
encoder could look at all of it (seen: 14 kbit/s of 1080p, whose 360p stayed gray where it was black).
"""
SHORTEST, LONGEST, MUCH_LONGER = 0.5, 1.5, 3.0
"""Of the profile's segments: groups of pictures are put together to these lengths. Much longer ones are had up to
`MUCH_LONGER_SECONDS`: encoders that put key frames where scenes begin leave up to ten seconds between two of them.
"""
MUCH_LONGER_SECONDS: Final = 12.0
MOST_SEGMENTS: Final = 6000
"""That are not equally long: each is named where a program is started."""
MOST_SOUND, MOST_LOUD = 1.1, 1.5
"""Of a profile's bit rate, so much sound that is taken as it is may have, in the mean and in two seconds of it: AAC of
a constant rate is off by some percents (measured).
"""
_ON_THE_GRID_SECONDS: Final = 0.002


def segments_of_groups(groups: PictureGroups, wished_seconds: float) -> tuple[int, ...] | None:
    """With which frames segments of whole groups begin that are each as near to the wished length as groups allow; None
    when there are no such.
    """
    most_seconds = max(LONGEST * wished_seconds, min(MUCH_LONGER * wished_seconds, MUCH_LONGER_SECONDS))
    wished, most = (seconds * float(groups.frame_rate) for seconds in (wished_seconds, most_seconds))
    begins, edges = [0], [*groups.begins[1:], groups.frame_count]
    while begins[-1] < groups.frame_count:
        shortest, longest = begins[-1] + SHORTEST * wished, begins[-1] + most
        near = edges[bisect_left(edges, shortest) : bisect_right(edges, longest)]
        if not near and groups.frame_count >= shortest:
            return None
        begins.append(min(near, key=lambda edge: abs(edge - begins[-1] - wished), default=groups.frame_count))
    return tuple(begins[:-1])


def grid_of_groups(video: VideoStream, rate: Fraction, wished_seconds: float) -> SegmentGrid | None:
    """The segments into which the stream can be cut as it is; None when it can't be."""
    groups = video.groups
    begins = None if groups is None else segments_of_groups(groups, wished_seconds)
    if groups is None or begins is None or len(begins) < 2:
        return None
    lengths = [after - before for before, after in pairwise([*begins, groups.frame_count])]
    if len(set(lengths[:-1])) == 1 and lengths[-1] <= lengths[0]:
        return SegmentGrid(rate, lengths[0], groups.frame_count)
    return SegmentGrid(rate, max(lengths), groups.frame_count, begins) if len(begins) <= MOST_SEGMENTS else None


def peak_bps(groups: PictureGroups, grid: SegmentGrid) -> int:
    """The most bits a second of any run of segments of half to one and a half target durations (RFC 8216, 4.1)."""
    edges = [grid.first_frame(number) for number in range(grid.segment_count)] + [groups.frame_count]
    before = [0, *accumulate(groups.sizes)]
    sizes = [before[bisect_left(groups.begins, edge)] for edge in edges]
    target, peak = round(grid.segment_seconds) or 1, Fraction(0)
    for first in range(grid.segment_count):
        for after in range(first + 1, grid.segment_count + 1):
            seconds = (edges[after] - edges[first]) / groups.frame_rate
            if seconds > target * Fraction(3, 2):
                break
            if 2 * seconds >= target:
                peak = max(peak, (sizes[after] - sizes[first]) * 8 / seconds)
    return ceil(peak)


def capped_below(peak: int, renditions: tuple[VideoRendition, ...]) -> tuple[VideoRendition, ...]:
    """The renditions, of which the largest is copied and has such a peak: a smaller one that took more would add
    nothing to it.
    """
    largest, *smaller = renditions
    pixels = largest.width * largest.height
    rest = []
    for each in smaller:
        share = round(peak * (each.width * each.height / pixels) ** SMALLER)
        cap = max(share, round(each.max_bitrate_bps * LEAST_SHARE))
        rest.append(replace(each, max_bitrate_bps=min(each.max_bitrate_bps, cap)))
    return (replace(largest, copied=True, max_bitrate_bps=peak), *rest)


def own_sound_bps(media: MediaInfo, profile: Profile, begins_seconds: float) -> int | None:
    """The bit rate of the profile's in whose place the source's own sound stands, as it is; None when it can't. More
    bits than the source has add nothing. The presentation begins at `begins_seconds` on the container's clock.
    """
    audio = media.audio
    if not profile.copies or media.warnings or audio is None or audio.packets is None:
        return None
    if abs(audio.start_seconds - begins_seconds) > _ON_THE_GRID_SECONDS:
        return None
    if any("loudness_lufs" in spec.params for spec in profile.steps):
        return None
    packets, rates = audio.packets, {rung.audio_bitrate_bps for rung in profile.ladder}
    fit = (bps for bps in rates if packets.average_bps <= MOST_SOUND * bps and packets.peak_bps <= MOST_LOUD * bps)
    return min(fit, default=None)


def why_not_shown(video: VideoStream) -> str | None:
    """What keeps players from showing a stream's own pictures as they are, as the end of a sentence; None: nothing."""
    if video.pixel_format != "yuv420p" or video.interlaced or video.hdr or video.color_range == "pc":
        return "not every player shows such pictures"
    if video.rotation_degrees or video.sample_aspect_ratio != 1:
        return "players would not all turn it, or show it in its shape"
    return None


def why_not_copied(
    media: MediaInfo, renditions: tuple[VideoRendition, ...], profile: Profile, grid: SegmentGrid, begins_seconds: float
) -> str | SegmentGrid:
    """What keeps a source from being its own largest rendition, as the end of a sentence; or else its own grid. The
    presentation begins at `begins_seconds` on the container's clock, and would have the `grid` if it were encoded.
    """
    video, rate = media.video, grid.frame_rate
    if video is None or not profile.copies or len(renditions) < 2 or renditions[0].when != "eager":
        return "nobody asked for it"
    groups, largest = video.groups, renditions[0]
    if groups is None or media.warnings:
        return "it has no key frames after which it can be cut"
    if (unfit := why_not_shown(video)) is not None:
        return unfit
    if (video.width, video.height) != (largest.width, largest.height):
        return f"it is larger than {largest.name}"
    if groups.frame_rate != rate:
        return "its frames are not all as long"
    ends = video.start_seconds - begins_seconds + video.duration_seconds
    if abs(video.start_seconds - begins_seconds) > _ON_THE_GRID_SECONDS or round(ends * rate) != groups.frame_count:
        return "its picture does not begin with the presentation"
    own = grid_of_groups(video, rate, profile.segment_seconds)
    if own is None:
        return "its key frames are too far apart"
    seconds, cap = groups.frame_count / groups.frame_rate, largest.max_bitrate_bps
    if sum(groups.sizes) * 8 > MEAN_SHARE * cap * seconds or peak_bps(groups, own) > cap:
        return f"it has more bits than {largest.name} is worth"
    return own
