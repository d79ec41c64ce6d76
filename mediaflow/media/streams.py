"""Which streams of a file are used. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mediaflow.media.packets import PacketLog

_COVER_CODECS: Final = frozenset(("png", "mjpeg", "bmp", "gif", "webp"))
MOST_LANGUAGES: Final = 8
"""Each is decoded and encoded on its own; films have two or three."""
MOST_SIZES: Final = 8
"""Of a film in one file."""
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}")
_NO_LANGUAGE: Final = frozenset(("und", "zxx", "mul", "mis"))


def choose_video(streams: Sequence[Mapping[str, Any]], packets: PacketLog) -> Mapping[str, Any] | None:
    """The video stream that is used: the first that is no cover, can be decoded and has packets."""
    has_audio = any(stream.get("codec_type") == "audio" for stream in streams)
    for stream in streams:
        if stream.get("codec_type") != "video" or _is_cover(stream, packets, has_audio):
            continue
        if stream.get("codec_name") and packet_count(stream, packets):
            return stream
    return None


def choose_more_video(
    streams: Sequence[Mapping[str, Any]], packets: PacketLog, chosen: Mapping[str, Any] | None
) -> list[Mapping[str, Any]]:
    """The other streams of H.264, at most `MOST_SIZES` with the chosen one."""
    if chosen is None:
        return []
    others = (s for s in streams if s.get("codec_type") == "video" and s.get("codec_name") == "h264" and s != chosen)
    return [stream for stream in others if packet_count(stream, packets)][: MOST_SIZES - 1]


def choose_audio(streams: Sequence[Mapping[str, Any]], packets: PacketLog) -> Mapping[str, Any] | None:
    """The audio stream that is used: marked as default, else the first; always one with packets and a known codec."""
    usable = _usable_audio(streams, packets)
    marked = [stream for stream in usable if stream.get("disposition", {}).get("default")]
    return next(iter(marked or usable), None)


def choose_more_audio(
    streams: Sequence[Mapping[str, Any]], packets: PacketLog, chosen: Mapping[str, Any]
) -> list[Mapping[str, Any]]:
    """The first stream of every language that the chosen one does not speak; comments and descriptions come last."""
    found: dict[str | None, Mapping[str, Any]] = {}
    for stream in sorted(_usable_audio(streams, packets), key=_is_about_the_picture):
        language = language_of(stream)
        if (
            language is not None
            and _LANGUAGE.fullmatch(language)
            and language.lower() != (language_of(chosen) or "").lower()
        ):
            found.setdefault(language.lower(), stream)
    return sorted(found.values(), key=lambda stream: int(stream["index"]))


def _usable_audio(streams: Sequence[Mapping[str, Any]], packets: PacketLog) -> list[Mapping[str, Any]]:
    return [
        stream
        for stream in streams
        if stream.get("codec_type") == "audio"
        and stream.get("codec_name")
        and whole(stream.get("sample_rate"))
        and packet_count(stream, packets)
    ]


def _is_about_the_picture(stream: Mapping[str, Any]) -> bool:
    """True for what is not the film's own sound: a comment on it, or a description for the blind."""
    disposition = stream.get("disposition", {})
    return bool(disposition.get("comment") or disposition.get("visual_impaired"))


def language_of(stream: Mapping[str, Any]) -> str | None:
    """What a stream says that is spoken in it; None where it says nothing."""
    language = stream.get("tags", {}).get("language")
    return None if language is None or str(language).lower() in _NO_LANGUAGE else str(language)[:35]


def _is_cover(stream: Mapping[str, Any], packets: PacketLog, has_audio: bool) -> bool:
    disposition = stream.get("disposition", {})
    if any(disposition.get(mark) for mark in ("attached_pic", "timed_thumbnails", "still_image")):
        return True
    return has_audio and stream.get("codec_name") in _COVER_CODECS and packet_count(stream, packets) <= 1


def packet_count(stream: Mapping[str, Any], packets: PacketLog) -> int:
    """How many packets a stream has."""
    found = packets.streams.get(stream["index"])
    return 0 if found is None else found.count


def number(value: object) -> float | None:
    """A figure of ffprobe; None for what is none, or beyond any file."""
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) and abs(number) < 1e12 else None


def whole(value: object) -> int:
    """The same without its fraction; 0 for none."""
    return int(number(value) or 0)
