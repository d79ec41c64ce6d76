"""How difficult a film's picture is: a few moments of it, encoded quickly in a small size, tell what it costs.

It is a task of its own beside the smallest rendition, so that nobody's first picture waits for it; the others do. It is
the same for every part, and each time: the moments follow from the length alone.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import ffmpeg

from mediaflow.plugin import Limits, MediaInfo, SegmentGrid, VideoRendition, Workspace
from mediaflow_ffmpeg.argv import QUIET, compiled
from mediaflow_ffmpeg.clocks import from_middle
from mediaflow_ffmpeg.commands import source_input
from mediaflow_ffmpeg.graph import video_graph
from mediaflow_ffmpeg.x264 import lines

LINES: Final = 360
CRF: Final = 23
SAMPLE_SECONDS: Final = Fraction(8, 5)
APART_SECONDS: Final = 15
"""Sampled is a tenth of the film, in a small size: 4 % of what its encoding takes."""
LEAST_SECONDS: Final = 20.0
"""Shorter films are over before it pays."""
MOST_SAMPLES: Final = 24
_PARAMS: Final = "keyint=infinite"
START_SECONDS: Final = 0.15
"""Of a core, for a program that looks at one moment, beside its frames."""
_LIMITS: Final = Limits(wall_seconds=120)
_RATE: Final = re.compile(r"^\[libx264 @ \w+\] kb/s:(\d+(?:\.\d+)?)$", re.MULTILINE)
"""A line of x264's own: ffmpeg prints titles, too, which are text of strangers."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked at: `frames` from each of `moments` on (seconds of the presentation), at that size; for whom."""

    moments: tuple[float, ...]
    frames: int
    size: VideoRendition
    grid: SegmentGrid
    origin_seconds: float
    renditions: tuple[VideoRendition, ...]


def look_of(grid: SegmentGrid, renditions: Sequence[VideoRendition], origin_seconds: float) -> Look | None:
    """The moments of a film of that grid, evenly spread, for all but its smallest rendition; None for one that is too
    short, or has no other.
    """
    *others, _ = renditions
    seconds = float(grid.frame_count / grid.frame_rate)
    if seconds < LEAST_SECONDS or not others:
        return None
    largest = others[0]
    count = max(2, min(MOST_SAMPLES, round(seconds / APART_SECONDS)))
    moments = tuple(round(seconds * (2 * number + 1) / (2 * count), 3) for number in range(count))
    share = min(1.0, LINES / lines(largest))
    width, height = (max(2, 2 * round(side * share / 2)) for side in (largest.width, largest.height))
    size = VideoRendition("look", width, height, largest.max_bitrate_bps, None)
    return Look(moments, round(SAMPLE_SECONDS * grid.frame_rate), size, grid, origin_seconds, tuple(others))


def look(job: Look, media: MediaInfo, workspace: Workspace) -> float | None:
    """Look at every moment: the bits of each pixel of each frame, in the mean; None when nothing decodes."""
    found = []
    for number, moment in enumerate(job.moments):
        argv = look_command(job, moment, media, workspace.source)
        completed = workspace.processes.run(argv, reads=[workspace.source], limits=_LIMITS)
        if completed.returncode == 0 and (told := read_statistics(completed.stderr, job)) is not None:
            found.append(told)
        workspace.progress((number + 1) / len(job.moments))
    if not found:
        return None
    return round(statistics.fmean(found), 5)


def look_command(job: Look, moment: float, media: MediaInfo, source: Path) -> list[str]:
    """Encodes the frames from the key frame before the moment on, and keeps nothing: x264 says on stderr what they
    took.
    """
    if media.video is None:
        raise ValueError("the media has no video")
    clock = from_middle(job.origin_seconds, Fraction(moment).limit_denominator(1000))
    stream = source_input(source, media, **clock)[str(media.video.index)]
    (node,) = video_graph(stream, media.video, (job.size,), job.grid, job.frames, sought=True)
    options = {"c:v": "libx264", "preset": "superfast", "crf": CRF, "x264-params": _PARAMS, "threads": 1}
    output = ffmpeg.output(node, "-", format="null", **options)
    return compiled(output, *QUIET, "-loglevel", "info")


def read_statistics(stderr: str, job: Look) -> float | None:
    """Bits of a pixel, as x264 says them in the end; None when it encoded nothing."""
    if (rate := _RATE.search(stderr)) is None:
        return None
    pixels = job.size.width * job.size.height * float(job.grid.frame_rate)
    return float(rate[1]) * 1000 / pixels
