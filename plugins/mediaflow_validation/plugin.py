"""The built-in validation: what is refused by its name before a byte arrives, and by its facts after probing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mediaflow.plugin import MediaContext, MediaInfo, Problem, UploadDraft, VideoStream, hookimpl
from mediaflow_validation.names import refused_content_type, refused_extension

MAX_FRAME_RATE: Final = 240
"""Frames a second: the fastest slow motion that phones record."""
MOST_REPEATED: Final = 7200
REPEATED_PER_FRAME: Final = 500
"""So many seconds of pictures, and so many more for each that the file has, are made by showing pictures again."""
MIN_SIDE: Final = 2
"""Pixels: 4:2:0 video has no smaller picture."""

MEDIAFLOW_API = ">=1.0,<2"
"""The versions of the plugin API that this was made for."""


@hookimpl(trylast=True)
def mediaflow_validate_upload(upload: UploadDraft) -> list[Problem]:
    """Refuse what is obviously no media by name or type. What the file really is, its bytes tell after the upload."""
    problems = []
    if (noun := refused_extension(upload.filename)) is not None:
        problems.append(
            Problem(
                "upload.unsupported_type",
                f"must be the name of a video or audio file; {upload.filename!r} is {noun}",
                "/filename",
            )
        )
    elif (given := refused_content_type(upload.filename, upload.content_type)) is not None:
        problems.append(
            Problem(
                "upload.unsupported_type",
                f"must be a video or audio type, or be left out; {given!r} is neither video nor audio",
                "/content_type",
            )
        )
    return problems


@hookimpl(trylast=True)
def mediaflow_validate_media(media: MediaInfo, context: MediaContext) -> list[Problem]:
    """Refuse what can't be turned into a stream, or only at a cost that nobody agreed to."""
    return [*_whole_file(media, context), *(_picture(media.video, context) if media.video else ())]


@hookimpl(trylast=True)
def mediaflow_choose_profile(media: MediaInfo) -> str | None:
    """`audio-only` for a source without pictures; else the operator's default applies."""
    return None if media.video else "audio-only"


def _whole_file(media: MediaInfo, context: MediaContext) -> Iterator[Problem]:
    if media.encrypted:
        yield Problem("media.encrypted", "The file is encrypted (DRM); upload it without protection.")
    if media.video is None and media.audio is None:
        yield Problem("media.unsupported", "The file holds neither video nor audio that can be played.")
    longest, most = context.settings["max_duration_seconds"], context.settings["max_streams"]
    if media.duration_seconds > longest:
        yield Problem(
            "media.too_large",
            f"The file lasts {media.duration_seconds:.0f} s; at most {longest} s are accepted. Cut it into parts.",
        )
    if media.stream_count > most:
        yield Problem("media.too_large", f"The file has {media.stream_count} streams; at most {most} are accepted.")


def _picture(video: VideoStream, context: MediaContext) -> Iterator[Problem]:
    width, height = video.width, video.height
    most = context.settings["max_pixels"]
    if min(width, height) < MIN_SIDE:
        yield Problem("media.unsupported", f"The picture is only {width} x {height} pixels large.")
    if width * height > most:
        yield Problem("media.too_large", f"The picture has {width} x {height} pixels; at most {most} are accepted.")
    if video.duration_seconds > MOST_REPEATED + REPEATED_PER_FRAME * video.frame_count:
        yield Problem(
            "media.too_costly",
            f"The video has only {video.frame_count} frames for {video.duration_seconds:.0f} s, so that nearly all"
            " would be repeated ones; give it at least a frame every eight minutes.",
        )
    if video.frame_rate > MAX_FRAME_RATE:
        yield Problem(
            "media.too_large",
            f"The video has {float(video.frame_rate):.0f} frames a second; at most {MAX_FRAME_RATE} are accepted.",
        )
