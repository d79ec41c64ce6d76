"""The subtitles that a source says it has, from ffprobe's answer. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mediaflow.domain.media import SubtitleStream


def subtitle_streams(
    streams: Sequence[Mapping[str, Any]], language: Callable[[Mapping[str, Any]], str | None]
) -> tuple[SubtitleStream, ...]:
    """All streams of subtitles whose codec ffprobe knows, each with the `language` that it tells."""
    return tuple(
        SubtitleStream(
            index=int(stream["index"]),
            codec=str(stream["codec_name"]),
            language=language(stream),
            **{
                mark: bool(stream.get("disposition", {}).get(mark))
                for mark in ("default", "forced", "hearing_impaired")
            },
        )
        for stream in streams
        if stream.get("codec_type") == "subtitle" and stream.get("codec_name")
    )
