"""HLS playlists (RFC 8216, Apple's authoring specification) over CMAF segments. Pure: a presentation in, text out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from mediaflow.plugin import Manifest, Presentation, Rendition, Track
from mediaflow_hls.bandwidth import average_bps, peak_bps, target_duration

CONTENT_TYPE: Final = "application/vnd.apple.mpegurl"
ENTRY_PATH: Final = "master.m3u8"
VERSION: Final = 7
"""EXT-X-MAP without I-FRAMES-ONLY needs 6 (RFC 8216, 7); with fragmented MP4 Apple's tools write 7."""
FIRST_VARIANT_BPS: Final = 2_000_000
"""Players that know nothing of the network begin with the first variant: the best one under this (Apple's specification
asks for about 2000 kbit/s)."""
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


class Hls:
    """Format `hls`: a multivariant playlist, and a media playlist for each track."""

    name = "hls"

    def render(self, presentation: Presentation) -> Sequence[Manifest]:
        renditions = [*presentation.video, *presentation.audio]
        target = target_duration(renditions)
        entry = Manifest(ENTRY_PATH, CONTENT_TYPE, _multivariant(presentation, target), entry=True)
        media = (Manifest(_path(r.track), CONTENT_TYPE, _media(r, target)) for r in renditions)
        return [entry, *media]


def _path(track: Track) -> str:
    return f"{track.name}.m3u8" if f"{track.name}.m3u8" != ENTRY_PATH else "master-track.m3u8"


def _media(rendition: Rendition, target: int) -> str:
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{target}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{rendition.init_uri}"',
    ]
    for segment in rendition.segments:
        lines += [f"#EXTINF:{segment.duration_seconds:.6f},", segment.uri]
    return _text([*lines, "#EXT-X-ENDLIST"])


def _multivariant(presentation: Presentation, target: int) -> str:
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if not presentation.video:
        variants = [(_audio_variant(rendition, target), rendition) for rendition in presentation.audio]
        return _text([*lines, *_variant_lines(variants)])
    audio = {rendition.track.name: rendition for rendition in presentation.audio}
    lines += [_audio_media(rendition.track) for rendition in presentation.audio]
    variants = [
        (_video_variant(rendition, audio.get(rendition.track.audio_group or ""), target), rendition)
        for rendition in _best_first(presentation.video, audio)
    ]
    return _text([*lines, *_variant_lines(variants)])


def _variant_lines(variants: Sequence[tuple[str, Rendition]]) -> list[str]:
    return [line for attributes, rendition in variants for line in (attributes, _path(rendition.track))]


def _best_first(video: Sequence[Rendition], audio: dict[str, Rendition]) -> list[Rendition]:
    """From large to small, but with the variant to begin with in front."""
    for number, rendition in enumerate(video):
        sound = audio.get(rendition.track.audio_group or "")
        average = average_bps(rendition.segments) + (average_bps(sound.segments) if sound else 0)
        if average <= FIRST_VARIANT_BPS:
            return [rendition, *video[:number], *video[number + 1 :]]
    return [video[-1], *video[:-1]]


def _audio_media(track: Track) -> str:
    attributes = ["TYPE=AUDIO", f'GROUP-ID="{track.name}"', 'NAME="Main"', "DEFAULT=YES", "AUTOSELECT=YES"]
    if track.language and _LANGUAGE.fullmatch(track.language) and track.language != "und":
        attributes.append(f'LANGUAGE="{track.language}"')
    if track.channels:
        attributes.append(f'CHANNELS="{track.channels}"')
    return "#EXT-X-MEDIA:" + ",".join([*attributes, f'URI="{_path(track)}"'])


def _video_variant(rendition: Rendition, audio: Rendition | None, target: int) -> str:
    track = rendition.track
    parts = [rendition, audio] if audio else [rendition]
    attributes = _rates(parts, target)
    if track.width and track.height:
        attributes.append(f"RESOLUTION={track.width}x{track.height}")
    if track.frame_rate:
        attributes.append(f"FRAME-RATE={float(track.frame_rate):.3f}")
    if audio:
        attributes.append(f'AUDIO="{audio.track.name}"')
    return "#EXT-X-STREAM-INF:" + ",".join(attributes)


def _audio_variant(rendition: Rendition, target: int) -> str:
    return "#EXT-X-STREAM-INF:" + ",".join(_rates([rendition], target))


def _rates(parts: Sequence[Rendition], target: int) -> list[str]:
    """Peak and average of what is fetched together, and the codecs of all of it."""
    peak = sum(peak_bps(part.segments, target) for part in parts)
    average = sum(average_bps(part.segments) for part in parts)
    codecs = ",".join(dict.fromkeys(part.track.codecs for part in parts))
    return [f"BANDWIDTH={peak}", f"AVERAGE-BANDWIDTH={average}", f'CODECS="{codecs}"']


def _text(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"
