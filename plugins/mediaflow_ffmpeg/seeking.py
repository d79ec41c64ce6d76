"""Which sources are decoded from the middle: those where every frame is then the one that the whole has there."""

from __future__ import annotations

from typing import Final

from mediaflow.plugin import MediaInfo

_EXACT: Final = ("mov", "matroska")
"""By the first name that ffmpeg gives a container: they have an index, or are read on to the wanted moment, and each of
their packets has its own time, so that a seek changes no frame (`test_ffmpeg_seeking.py` compares frames). What is not
among them counts: MPEG-TS and MPEG-PS have no index, and ffmpeg closes jumps of their clock only where it saw them; AVI
and FLV tell no time of what is shown, an MXF began five frames early; in Ogg a time is counted from a page's end.
"""


def can_be_sought(media: MediaInfo) -> bool:
    """True for a source whose parts can be made by themselves. What was found damaged is decoded from its beginning."""
    return media.container.split(",")[0] in _EXACT and not media.warnings
