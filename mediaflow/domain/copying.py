"""Which source is cut into segments as it is, in the place of its largest rendition. Pure; each rule has a row in its
test's table.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from mediaflow.domain.media import MediaInfo, VideoStream
from mediaflow.domain.plan import VideoRendition
from mediaflow.domain.profile import Profile

MEAN_SHARE: Final = Fraction(5, 9)
"""Of the cap: so much an encoder aims at in the mean, and so much may the source have; no group of it more than the
cap. What has more is not worth its bits beside what is made of it.
"""
SHORTEST, LONGEST = 0.5, 1.5
"""Of the profile's segments: groups of pictures are put together to these lengths."""
_ON_THE_GRID_SECONDS: Final = 0.002


def segment_of_groups(video: VideoStream, rate: Fraction, wished_seconds: float) -> int | None:
    """The frames of segments of whole groups that are about as long as wished; None when there are no such."""
    if video.groups is None:
        return None
    many = max(1, round(wished_seconds * float(rate) / video.groups.frames))
    frames = many * video.groups.frames
    return frames if SHORTEST * wished_seconds <= frames / rate <= LONGEST * wished_seconds else None


def why_not_copied(
    media: MediaInfo, renditions: tuple[VideoRendition, ...], profile: Profile, rate: Fraction, begins_seconds: float
) -> str | None:
    """What keeps a source from being its own largest rendition, as the end of a sentence; None when nothing does. The
    presentation begins at `begins_seconds` on the container's clock, and has so many frames a second.
    """
    video = media.video
    if video is None or not profile.copies or len(renditions) < 2 or renditions[0].when != "eager":
        return "nobody asked for it"
    groups, largest = video.groups, renditions[0]
    if groups is None or media.warnings:
        return "it has no key frames at equal distances, after each of which it can be cut"
    if video.pixel_format != "yuv420p" or video.interlaced or video.hdr or video.color_range == "pc":
        return "not every player shows such pictures"
    if video.rotation_degrees or video.sample_aspect_ratio != 1:
        return "players would not all turn it, or show it in its shape"
    if (video.width, video.height) != (largest.width, largest.height):
        return f"it is larger than {largest.name}"
    if groups.frame_rate != rate:
        return "its frames are not all as long"
    ends = video.start_seconds - begins_seconds + video.duration_seconds
    if abs(video.start_seconds - begins_seconds) > _ON_THE_GRID_SECONDS or round(ends * rate) != groups.frame_count:
        return "its picture does not begin with the presentation"
    seconds = groups.frame_count / groups.frame_rate
    cap = largest.max_bitrate_bps
    if groups.size_bytes * 8 > MEAN_SHARE * cap * seconds or groups.most_bytes * 8 > cap * groups.frames / rate:
        return f"it has more bits than {largest.name} is worth"
    segment = segment_of_groups(video, rate, profile.segment_seconds)
    if segment is None or segment >= groups.frame_count:
        return "its key frames are too far apart"
    return None
