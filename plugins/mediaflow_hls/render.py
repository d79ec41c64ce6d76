"""HLS playlists (RFC 8216, Apple's authoring specification) over CMAF segments. Pure: a presentation in, text out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from mediaflow.plugin import Manifest, Presentation, Rendition, Segment, TextTrack, Track
from mediaflow_hls.bandwidth import average_bps, peak_bps, target_duration
from mediaflow_hls.groups import AudioGroup, audio_groups, labels

CONTENT_TYPE: Final = "application/vnd.apple.mpegurl"
ENTRY_PATH: Final = "master.m3u8"
VERSION: Final = 7
"""EXT-X-MAP without I-FRAMES-ONLY needs 6 (RFC 8216, 7); with fragmented MP4 Apple's tools write 7."""
FIRST_VARIANT_BPS: Final = 2_000_000
"""Players that know nothing of the network begin with the first variant: the best one under this (Apple's specification
asks for about 2000 kbit/s)."""
EVERYWHERE: Final = ("avc1.", "avc3.")
"""H.264, beside which players choose other codecs by themselves."""
TEXT_GROUP: Final = "captions"
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


class Hls:
    """Format `hls`: a multivariant playlist, and a media playlist for each track."""

    name = "hls"

    def render(self, presentation: Presentation) -> Sequence[Manifest]:
        renditions = [*presentation.video, *presentation.audio]
        target = target_duration(renditions)
        entry = Manifest(ENTRY_PATH, CONTENT_TYPE, _multivariant(presentation, target), entry=True)
        media = [Manifest(_path(r.track), CONTENT_TYPE, _media(r.segments, target, r.init_uri)) for r in renditions]
        text = [Manifest(_text_path(track), CONTENT_TYPE, _text_media(track)) for track in presentation.text]
        return [entry, *media, *text]


def _path(track: Track) -> str:
    return f"{track.name}.m3u8" if f"{track.name}.m3u8" != ENTRY_PATH else "master-track.m3u8"


def _text_path(track: TextTrack) -> str:
    return f"text_{track.language}.m3u8"  # no track of a profile has a `_` in its name


def _text_media(track: TextTrack) -> str:
    # captions may have a target duration of their own (RFC 8216, 6.2.4): one file for hours is usual
    longest = max(segment.duration_seconds for segment in track.segments)
    return _media(track.segments, max(1, int(longest + 0.5)), None)


def _media(segments: Sequence[Segment], target: int, init_uri: str | None) -> str:
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{target}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        *([f'#EXT-X-MAP:URI="{init_uri}"'] if init_uri else []),
    ]
    for segment in segments:
        lines += [f"#EXTINF:{segment.duration_seconds:.6f},", segment.uri]
    return _text([*lines, "#EXT-X-ENDLIST"])


def _multivariant(presentation: Presentation, target: int) -> str:
    groups = audio_groups(presentation.audio)
    text = f',SUBTITLES="{TEXT_GROUP}"' if presentation.text else ""
    if presentation.video:
        variants = [
            (_video_variant(rendition, groups.get(rendition.track.audio_group or ""), target), rendition)
            for rendition in _best_first(presentation.video, groups)
        ]
    else:
        variants = [(_audio_variant(group, target), group.default) for group in groups.values()]
    return _text(
        [
            "#EXTM3U",
            f"#EXT-X-VERSION:{VERSION}",
            "#EXT-X-INDEPENDENT-SEGMENTS",
            *(
                line
                for group in groups.values()
                if presentation.video or group.is_a_choice
                for line in _audio_media(group)
            ),
            *_text_tags(presentation.text),
            *(line for attributes, r in variants for line in (attributes + text, _path(r.track))),
        ]
    )


def _best_first(video: Sequence[Rendition], groups: dict[str, AudioGroup]) -> list[Rendition]:
    """From large to small, but with the variant to begin with in front: one that is made, and that everything plays.
    Where none is, one that costs nothing to make: others are waited for.
    """
    plain = [rendition for rendition in video if rendition.track.codecs.startswith(EVERYWHERE)] or video
    free = (each for each in plain if each.foretold is not None and not each.foretold.cost)
    made = (each for each in plain if each.foretold is None and _fits_first(each, groups))
    first = next(made, None) or next(free, plain[-1])
    return [first, *(each for each in video if each is not first)]


def _fits_first(rendition: Rendition, groups: dict[str, AudioGroup]) -> bool:
    sound = groups.get(rendition.track.audio_group or "")
    return average_bps(rendition) + (sound.average_bps if sound else 0) <= FIRST_VARIANT_BPS


# --- what a viewer chooses between


def _audio_media(group: AudioGroup) -> list[str]:
    return [_audio_tag(group, rendition.track, label) for rendition, label in group.choices()]


def _audio_tag(group: AudioGroup, track: Track, label: str) -> str:
    chosen = "YES" if track is group.default.track else "NO"
    attributes = [
        "TYPE=AUDIO",
        f'GROUP-ID="{group.name}"',
        f'NAME="{label}"',
        f"DEFAULT={chosen}",
        # players choose by the viewer's languages
        "AUTOSELECT=YES",
        *_language(track.language),
    ]
    if track.channels:
        attributes.append(f'CHANNELS="{track.channels}"')
    return "#EXT-X-MEDIA:" + ",".join([*attributes, f'URI="{_path(track)}"'])


def _text_tags(tracks: Sequence[TextTrack]) -> list[str]:
    return [
        "#EXT-X-MEDIA:"
        + ",".join(
            [
                "TYPE=SUBTITLES",
                f'GROUP-ID="{TEXT_GROUP}"',
                f'NAME="{label}"',
                f"DEFAULT={'YES' if track.default else 'NO'}",
                "AUTOSELECT=YES",
                *_language(track.language),
                f'URI="{_text_path(track)}"',
            ]
        )
        for track, label in zip(tracks, labels([track.label for track in tracks]), strict=True)
    ]


def _language(language: str | None) -> list[str]:
    if language and _LANGUAGE.fullmatch(language) and language != "und":
        return [f'LANGUAGE="{language}"']
    return []


# --- variants


def _video_variant(rendition: Rendition, group: AudioGroup | None, target: int) -> str:
    track = rendition.track
    attributes = _rates(rendition, group, target)
    if track.width and track.height:
        attributes.append(f"RESOLUTION={track.width}x{track.height}")
    if track.frame_rate:
        attributes.append(f"FRAME-RATE={float(track.frame_rate):.3f}")
    if group:
        attributes.append(f'AUDIO="{group.name}"')
    return "#EXT-X-STREAM-INF:" + ",".join(attributes)


def _audio_variant(group: AudioGroup, target: int) -> str:
    if not group.is_a_choice:
        return "#EXT-X-STREAM-INF:" + ",".join(_rates(None, group, target))
    # a player may fetch the variant's own playlist beside the chosen language's (RFC 8216, 4.3.4.2)
    attributes = [*_rates(group.default, group, target), f'AUDIO="{group.name}"']
    return "#EXT-X-STREAM-INF:" + ",".join(attributes)


def _rates(own: Rendition | None, group: AudioGroup | None, target: int) -> list[str]:
    """Peak and average of what is fetched together: the variant's own playlist, and the largest of the group."""
    peak = (peak_bps(own, target) if own else 0) + (group.peak_bps(target) if group else 0)
    average = (average_bps(own) if own else 0) + (group.average_bps if group else 0)
    named = [*([own.track.codecs] if own else []), *(group.codecs if group else [])]
    codecs = ",".join(dict.fromkeys(named))
    return [f"BANDWIDTH={peak}", f"AVERAGE-BANDWIDTH={average}", f'CODECS="{codecs}"']


def _text(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"
