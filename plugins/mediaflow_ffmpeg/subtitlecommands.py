"""Command lines that read subtitles. Every option has its reason here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ffmpeg

from mediaflow.plugin import ALLOCATION_BYTES, MediaInfo, safe_input_options
from mediaflow_ffmpeg.argv import QUIET, compiled
from mediaflow_ffmpeg.clocks import from_origin
from mediaflow_ffmpeg.commands import source_input


def subtitles_command(
    media: MediaInfo, source: Path, files: Mapping[int, Path], origin_seconds: float, most_bytes: int
) -> list[str]:
    """Streams of text, each as an ASS file whose times count from the presentation's first moment, in one reading."""
    # ignore: what is not UTF-8 comes as it is; else ffmpeg leaves out each line that is not
    node = source_input(source, media, sub_charenc_mode="ignore", **from_origin(origin_seconds))
    options: dict[str, Any] = {
        "c:s": "ass",
        "format": "ass",
        # in the order in which they lie in the file: waiting for a number that never comes keeps all in memory
        "ignore_readorder": 1,
        # what lies before the presentation stays before it, and moves nothing else
        "avoid_negative_ts": "disabled",
        # one that goes on and on ends there, the others go on
        "fs": most_bytes,
        "map_metadata": -1,
    }
    outputs = [ffmpeg.output(node[str(index)], str(file), **options) for index, file in files.items()]
    return compiled(ffmpeg.merge_outputs(*outputs), *QUIET)


def titles_command(media: MediaInfo, source: Path) -> list[str]:
    """What the streams of subtitles are called, as JSON."""
    argv = ["ffprobe", "-hide_banner", "-v", "error", "-max_alloc", str(ALLOCATION_BYTES)]
    argv += [*safe_input_options(media.container), "-select_streams", "s"]
    return [*argv, "-show_entries", "stream=index:stream_tags=title", "-of", "json=compact=1", "-i", f"file:{source}"]
