"""The command that cuts a source's own pictures into segments. Pure; every option has its reason here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ffmpeg

from mediaflow.plugin import MediaInfo
from mediaflow_ffmpeg.argv import QUIET, compiled
from mediaflow_ffmpeg.clocks import from_middle, from_origin
from mediaflow_ffmpeg.commands import PROGRESS, source_input
from mediaflow_ffmpeg.graph import Node
from mediaflow_ffmpeg.jobs import VideoJob
from mediaflow_ffmpeg.muxing import STREAMED, segment_options, span_file, span_options
from mediaflow_ffmpeg.units import KEPT


def copy_command(job: VideoJob, media: MediaInfo, source: Path, directory: Path) -> list[str]:
    """One ffmpeg that decodes nothing: the span's pictures as they are, in segments below the directory."""
    if media.video is None:
        raise ValueError("the media has no video")
    if job.grid.begins:
        return copies_command(job, media, (media.video.index,), source, directory)
    stream = _sought(job, media, source)[str(media.video.index)]
    name, first = job.renditions[0].name, job.span.first_segment
    options = _copied(job) | segment_options("v", [name], job.grid.segment_seconds, first, directory) | STREAMED
    return compiled(ffmpeg.output(stream, f"{directory}/%v/index.m3u8", **options), *QUIET, *PROGRESS)


def copies_command(job: VideoJob, media: MediaInfo, streams: Sequence[int], source: Path, directory: Path) -> list[str]:
    """The same of each stream of these indexes, for each of the job's renditions, on a grid that lists its segments."""
    opened = _sought(job, media, source)
    options = _copied(job) | span_options(job)
    outputs = [
        ffmpeg.output(opened[str(index)], span_file(directory, rendition.name), **options)
        for index, rendition in zip(streams, job.renditions, strict=True)
    ]
    return compiled(ffmpeg.merge_outputs(*outputs), *QUIET, *PROGRESS)


def _sought(job: VideoJob, media: MediaInfo, source: Path) -> Node:
    rate = job.grid.frame_rate
    # half a frame into its first picture, so that no rounding finds the group before it
    at = job.first_frame / rate + 1 / (2 * rate)
    clock = from_middle(job.origin_seconds, at) if job.first_frame else from_origin(job.origin_seconds)
    return source_input(source, media, **clock)


def _copied(job: VideoJob) -> dict[str, Any]:
    return {
        "c:v": "copy",
        # messages, and units of no known type, are nobody's business
        "bsf:v": f"filter_units=pass_types={'|'.join(map(str, KEPT))}",
        # so many packets are so many pictures: none is shown before the group that it lies in
        "frames:v": job.expected_frames,
    }
