"""The command that cuts a source's own pictures into segments. Pure; every option has its reason here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ffmpeg

from mediaflow.plugin import MediaInfo
from mediaflow_ffmpeg.argv import QUIET, compiled
from mediaflow_ffmpeg.clocks import from_middle, from_origin
from mediaflow_ffmpeg.commands import PROGRESS, source_input
from mediaflow_ffmpeg.jobs import VideoJob
from mediaflow_ffmpeg.muxing import STREAMED, segment_options, span_file, span_options


def copy_command(job: VideoJob, media: MediaInfo, source: Path, directory: Path) -> list[str]:
    """One ffmpeg that decodes nothing: the span's pictures as they are, in segments below the directory."""
    if media.video is None:
        raise ValueError("the media has no video")
    rate = job.grid.frame_rate
    # half a frame into its first picture, so that no rounding finds the group before it
    at = job.first_frame / rate + 1 / (2 * rate)
    clock = from_middle(job.origin_seconds, at) if job.first_frame else from_origin(job.origin_seconds)
    stream = source_input(source, media, **clock)[str(media.video.index)]
    name = job.renditions[0].name
    options: dict[str, Any] = {
        "c:v": "copy",
        # messages beside the pictures, of cameras and editors, are nobody's business
        "bsf:v": "filter_units=remove_types=6",
        # so many packets are so many pictures: none is shown before the group that it lies in
        "frames:v": job.expected_frames,
    }
    if job.grid.begins:
        output = ffmpeg.output(stream, span_file(directory, name), **options, **span_options(job))
    else:
        cuts = segment_options("v", [name], job.grid.segment_seconds, job.span.first_segment, directory)
        output = ffmpeg.output(stream, f"{directory}/%v/index.m3u8", **(options | cuts | STREAMED))
    return compiled(output, *QUIET, *PROGRESS)
