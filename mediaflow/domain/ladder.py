"""The planner: which renditions a source becomes under a profile. Pure; every rule here has a row in tests/domain/test_ladder.py."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final

from mediaflow.domain.media import MediaInfo, VideoStream
from mediaflow.domain.plan import AudioRendition, EncodePlan, SegmentGrid, Span, VideoRendition
from mediaflow.domain.profile import Profile, Rung

BOX_ASPECT: Final = Fraction(16, 9)
NATIVE_GAIN: Final = 1.2
"""A rendition at the source's own size is worth its bytes only with this many times the pixels of the next lower one."""
USUAL_RATES: Final = tuple(
    Fraction(n, d)
    for n, d in ((24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (50, 1), (60000, 1001), (60, 1))
)
RATE_TOLERANCE: Final = 0.004
"""A measured rate this near to a usual one is that one: short clips can't be measured better."""
MIN_RATE: Final = Fraction(5)
AUDIO_RATES_HZ: Final = (44100, 48000)


def plan_encode(media: MediaInfo, profile: Profile) -> EncodePlan:
    """The plan of a probed source. Sources without video get the audio renditions only; silent ones only video."""
    renditions = _video(media, profile.ladder)
    audio = _audio(media, profile.ladder, renditions)
    if media.video is None or not renditions:
        seconds = Fraction(profile.segment_seconds).limit_denominator(1000)
        return EncodePlan(media.duration_seconds, seconds, (), audio, None, ())
    grid = segment_grid(media, profile)
    return EncodePlan(media.duration_seconds, grid.segment_seconds, renditions, audio, grid, (Span(0, 0, None),))


def segment_grid(media: MediaInfo, profile: Profile) -> SegmentGrid:
    """Segments of a whole number of frames, as near to the profile's length as the frame rate allows."""
    assert media.video is not None
    rate = output_frame_rate(media.video, profile.frame_rate_max)
    frames = max(1, round(Fraction(profile.segment_seconds).limit_denominator(1000) * rate))
    return SegmentGrid(rate, frames, max(1, round(media.duration_seconds * rate)))


def output_frame_rate(video: VideoStream, maximum: int) -> Fraction:
    """The source's measured rate, rounded to a usual one when it is near; halved until it is under the cap; never below 5.

    Interlaced video keeps one frame for two fields. Under 5 frames a second players' seeking suffers, so frames repeat.
    """
    rate = video.frame_rate
    usual = min(USUAL_RATES, key=lambda candidate: abs(rate / candidate - 1))
    rate = usual if abs(rate / usual - 1) <= RATE_TOLERANCE else min(rate, Fraction(1000))
    while rate > Fraction(maximum):
        rate /= 2
    if rate < MIN_RATE:
        return MIN_RATE
    return rate if rate.denominator in (1, 1001) else Fraction(round(rate * 100), 100)


def fitted_size(source: tuple[int, int], rung_height: int) -> tuple[int, int]:
    """The source's display size scaled down into the rung's 16:9 box, the box turned for portrait sources; even, never larger."""
    width, height = source
    long_side, short_side = math.ceil(rung_height * BOX_ASPECT), rung_height
    box = (long_side, short_side) if width >= height else (short_side, long_side)
    scale = min(Fraction(1), Fraction(box[0], width), Fraction(box[1], height))
    return _even(width * scale, width), _even(height * scale, height)


def _even(value: Fraction, limit: int) -> int:
    nearest = round(value / 2) * 2
    return max(2, nearest if nearest <= limit else nearest - 2)


def _video(media: MediaInfo, ladder: tuple[Rung, ...]) -> tuple[VideoRendition, ...]:
    if media.video is None:
        return ()
    source = media.video.display_size
    has_audio = media.audio is not None
    chosen: list[tuple[Rung, tuple[int, int]]] = []
    for rung in sorted(ladder, key=lambda r: r.height):
        size = fitted_size(source, rung.height)
        if not chosen or _pixels(size) >= _pixels(chosen[-1][1]) * (NATIVE_GAIN if _is_native(size, source) else 1.01):
            chosen.append((rung, size))
    return tuple(
        VideoRendition(
            name=_rendition_name(rung, size, source),
            width=size[0],
            height=size[1],
            max_bitrate_bps=rung.video_bitrate_bps,
            audio=_audio_name(rung) if has_audio else None,
        )
        for rung, size in reversed(chosen)
    )


def _pixels(size: tuple[int, int]) -> int:
    return size[0] * size[1]


def _is_native(size: tuple[int, int], source: tuple[int, int]) -> bool:
    return abs(size[0] - source[0]) < 2 and abs(size[1] - source[1]) < 2


def _rendition_name(rung: Rung, size: tuple[int, int], source: tuple[int, int]) -> str:
    """The rung's name, unless the source is smaller than the rung: then what the rendition really is (`240p`)."""
    fills = max(size) >= rung.height * BOX_ASPECT - 2 or min(size) >= rung.height - 1
    return rung.name if fills or not _is_native(size, source) else f"{min(size)}p"


def _audio_name(rung: Rung) -> str:
    return f"audio-{round(rung.audio_bitrate_bps / 1000)}k"


def _audio(
    media: MediaInfo, ladder: tuple[Rung, ...], renditions: tuple[VideoRendition, ...]
) -> tuple[AudioRendition, ...]:
    if media.audio is None:
        return ()
    used = {rendition.audio for rendition in renditions}
    rungs = [rung for rung in ladder if not renditions or _audio_name(rung) in used]
    bitrates = sorted({rung.audio_bitrate_bps for rung in rungs}, reverse=True)
    channels = min(2, max(1, media.audio.channels))
    rate = media.audio.sample_rate_hz if media.audio.sample_rate_hz in AUDIO_RATES_HZ else 48000
    return tuple(AudioRendition(f"audio-{round(bps / 1000)}k", bps, channels, rate) for bps in bitrates)
