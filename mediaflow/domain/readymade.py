"""Sizes of a film that somebody has made already: tracks of one file that are packaged as they are. Pure; each rule has
a row in its test's table.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from mediaflow.domain.copying import peak_bps, segments_of_groups, why_not_shown
from mediaflow.domain.media import MediaInfo, PictureGroups, VideoStream
from mediaflow.domain.plan import SegmentGrid, VideoRendition
from mediaflow.domain.rungnames import lines_of

SOUND: Final = "audio"
"""What its sound is called."""
_SAME_SHAPE: Final = 0.02
_SAME_TIME_SECONDS: Final = 0.002


class ReadyMade(NamedTuple):
    """The renditions from large to small, the stream of each, and where all of them are cut."""

    renditions: tuple[VideoRendition, ...]
    streams: tuple[int, ...]
    grid: SegmentGrid


def ready_made(media: MediaInfo, segment_seconds: float) -> ReadyMade | str:
    """What the file's streams of pictures are as they are, cut into segments of about that length; or what keeps them
    from it, as a sentence.
    """
    streams = sorted(() if media.video is None else (media.video, *media.more_video), key=_pixels, reverse=True)
    groups = [stream.groups for stream in streams]
    found = [each for each in groups if each is not None]
    if not streams or len(found) < len(streams):
        return "It has no H.264 pictures with key frames that it can be cut at, in an MP4 or MOV."
    for stream in streams:
        if (why := why_not_shown(stream) or _differs(stream, streams[0])) is not None:
            return f"The pictures of {stream.width}x{stream.height} can't be taken as they are: {why}."
    common = sorted(set.intersection(*(set(each.begins) for each in found)))
    merged = [_merged(each, common) for each in found]
    begins = segments_of_groups(merged[0], segment_seconds)
    if begins is None:
        return "Its sizes have no common key frame every few seconds."
    lengths = [after - before for before, after in pairwise([*begins, merged[0].frame_count])]
    grid = SegmentGrid(merged[0].frame_rate, max(lengths), merged[0].frame_count, begins)
    sound = None if media.audio is None else SOUND
    sizes = zip(_names(streams), streams, merged, strict=True)
    renditions = (
        VideoRendition(name, s.width, s.height, peak_bps(each, grid), sound, copied=True) for name, s, each in sizes
    )
    return ReadyMade(tuple(renditions), tuple(stream.index for stream in streams), grid)


def _differs(stream: VideoStream, largest: VideoStream) -> str | None:
    """Why it is not the same film, as the end of a sentence."""
    one, other = stream.groups, largest.groups
    if one is None or other is None or one.frame_rate != other.frame_rate:
        return "its frames are not as long as those of the largest"
    if one.frame_count != other.frame_count:
        return f"it has {one.frame_count} pictures, and the largest has {other.frame_count}"
    if abs(stream.start_seconds - largest.start_seconds) > _SAME_TIME_SECONDS:
        return "it does not begin with the largest"
    shape = Fraction(stream.width * largest.height, stream.height * largest.width)
    return "it has another shape than the largest" if abs(shape - 1) > _SAME_SHAPE else None


def _merged(groups: PictureGroups, begins: Sequence[int]) -> PictureGroups:
    """The same stream in fewer groups."""
    before = dict(zip((*groups.begins, groups.frame_count), (0, *accumulate(groups.sizes)), strict=True))
    edges = pairwise([*begins, groups.frame_count])
    sizes = tuple(before[after] - before[at] for at, after in edges)
    return PictureGroups(tuple(begins), sizes, groups.frame_count, groups.frame_rate)


def _names(streams: Sequence[VideoStream]) -> list[str]:
    """What each is called, all different: by its lines, and where two have as many, by which of them it is."""
    names: list[str] = []
    for stream in streams:
        name = f"{lines_of(stream.display_size, streams[0].display_size)}p"
        again = sum(each.partition("-")[0] == name for each in names)
        names.append(f"{name}-{again + 1}" if again else name)
    return names


def _pixels(stream: VideoStream) -> tuple[int, int]:
    """Of two with as many pixels, the one with more bits is the larger."""
    return stream.width * stream.height, sum(stream.groups.sizes) if stream.groups else 0
