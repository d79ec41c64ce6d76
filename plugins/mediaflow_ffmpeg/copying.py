"""The command that cuts a source's own pictures into segments. Pure; every option has its reason here."""

from __future__ import annotations

from pathlib import Path

import ffmpeg

from mediaflow.plugin import MediaInfo
from mediaflow_ffmpeg.argv import QUIET, compiled
from mediaflow_ffmpeg.clocks import from_middle, from_origin
from mediaflow_ffmpeg.commands import PROGRESS, STREAMED, segment_options, source_input
from mediaflow_ffmpeg.jobs import VideoJob


def copy_command(job: VideoJob, media: MediaInfo, source: Path, directory: Path) -> list[str]:
    """One ffmpeg that decodes nothing: the span's pictures as they are, in segments below the directory."""
    if media.video is None:
        raise ValueError("the media has no video")
    rate = job.grid.frame_rate
    # half a frame into its first picture, so that no rounding finds the group before it
    at = job.first_frame / rate + 1 / (2 * rate)
    clock = from_middle(job.origin_seconds, at) if job.first_frame else from_origin(job.origin_seconds)
    stream = source_input(source, media, **clock)[str(media.video.index)]
    options = {
        "c:v": "copy",
        # messages beside the pictures, of cameras and editors, are nobody's business
        "bsf:v": "filter_units=remove_types=6",
        # of closed groups so many packets are so many pictures
        "frames:v": job.expected_frames,
        **segment_options("v", [job.renditions[0].name], job.grid.segment_seconds, job.span.first_segment, directory),
        **STREAMED,
    }
    return compiled(ffmpeg.output(stream, f"{directory}/%v/index.m3u8", **options), *QUIET, *PROGRESS)
