"""What an encoder is told of a job, from its row of the table (`families.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mediaflow.plugin import VideoRendition
from mediaflow_ffmpeg.families import FAMILIES, Family
from mediaflow_ffmpeg.graph import Node
from mediaflow_ffmpeg.jobs import BUFFER_SECONDS, Encoder, VideoJob
from mediaflow_ffmpeg.x264 import by_lines, h264_options, lines


def family_of(encoder: Encoder) -> Family:
    """The row of the table."""
    return FAMILIES[encoder.family]


def cost(encoder: Encoder, renditions: Sequence[VideoRendition]) -> float:
    """What encoding a frame in these renditions takes of the CPU, in pixels of x264's veryfast."""
    return sum(each.width * each.height * family_of(encoder).presets[encoder.preset] for each in renditions)


def video_options(job: VideoJob) -> dict[str, Any]:
    """The encoder's options of an output with all of the job's renditions, as ffmpeg-python takes them."""
    family = family_of(job.encoder)
    if family.encoder == "libx264":
        return h264_options(job)
    preset = family.hasty.get(job.encoder.preset) if job.encoder.hasty else None
    gop = _gop_frames(job)
    options: dict[str, Any] = {
        "c:v": family.encoder,
        family.preset_option: preset or job.encoder.preset,
        # frames leave the fps filter on their grid; nothing shall repeat or drop any after it
        "fps_mode": "passthrough",
        "g": gop,
        "keyint_min": gop,
        # said twice, for who heeds the one or the other
        "force_key_frames": f"expr:not(mod(n,{job.grid.segment_frames}))",
        # key frames after which no frame refers to an earlier one
        "flags:v": "+cgop",
        **family.options,
    }
    if family.profiles:
        options["profile:v"] = job.encoder.profile
    if not family.uploads:
        options["pix_fmt"] = family.pixels
    for number, rendition in enumerate(job.renditions):
        options |= {
            f"{family.quality}:v:{number}": quality(job.encoder, rendition),
            f"maxrate:v:{number}": rendition.max_bitrate_bps,
            f"bufsize:v:{number}": BUFFER_SECONDS * rendition.max_bitrate_bps,
        }
        if family.aims:
            options[f"b:v:{number}"] = round(family.aims * rendition.max_bitrate_bps)
    return options


def quality(encoder: Encoder, rendition: VideoRendition) -> float:
    """The encoder's own, or the one for so many lines; a whole number where it takes no other."""
    family = family_of(encoder)
    wished = by_lines(lines(rendition), family.by_lines) if encoder.crf is None else encoder.crf
    return round(wished) if family.whole else wished


def _gop_frames(job: VideoJob) -> int:
    """Frames between key frames: a segment is a whole number of such groups, all equally long, since not every encoder
    makes a key frame of any frame that it is asked to.
    """
    frames = job.grid.segment_frames
    groups = max(1, round(frames / job.gop_frames))
    return frames // next(count for count in range(groups, 0, -1) if frames % count == 0)


def uploaded(node: Node, family: Family) -> Node:
    """The pictures as the encoder takes them: in its device's memory where it has no other way."""
    return node.filter("format", family.pixels).filter("hwupload") if family.uploads else node
