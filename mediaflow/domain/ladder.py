"""The planner: which renditions a source becomes under a profile. Pure; each rule has a row in its test's tables."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Final, NamedTuple

from mediaflow.domain.copying import capped_below, own_sound_bps, peak_bps, why_not_copied
from mediaflow.domain.media import MediaInfo, VideoStream
from mediaflow.domain.plan import AudioRendition, EncodePlan, RungChoice, RungOutcome, SegmentGrid, Span, VideoRendition
from mediaflow.domain.profile import Profile, Rung
from mediaflow.domain.rungnames import rendition_names

BOX_ASPECT: Final = Fraction(16, 9)
NATIVE_GAIN: Final = 1.2
"""A rendition at the source's own size is worth its bytes only with so many times the pixels of the next lower one."""
ASPECT_TOLERANCE: Final = 0.01
"""Even sizes change the aspect a little; a lower rung that they change more than this (thin pictures) is left out."""
USUAL_RATES: Final = tuple(
    Fraction(n, d)
    for n, d in ((24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (50, 1), (60000, 1001), (60, 1))
)
RATE_TOLERANCE: Final = 0.004
"""A measured rate this near to a usual one is that one: short clips can't be measured better."""
MIN_RATE: Final = Fraction(5)
SPARSE_RATE: Final = Fraction(1)
MOST_REPEATS: Final = 100
"""A frame is shown as often as this, on average, before the rate goes below what the shortest gaps would want: screens
that are recorded when they change have long gaps and short ones, a file made to cost much has almost nothing but gaps.
"""
THINNED_FRAMES: Final = 1000
"""So many frames are made of any source."""
AUDIO_RATES_HZ: Final = (44100, 48000)
PRIMING_SECONDS: Final = 0.05
"""Audio this much before the video is not worth a frame."""


def plan_encode(media: MediaInfo, profile: Profile, *, suffix: str = "", uneven: bool = False) -> EncodePlan:
    """The plan of a probed source. Sources without video get the audio renditions only; silent ones only video.

    With the suffix `av1` video renditions are called `720p-av1`: a name for a second codec beside `720p`. `uneven` says
    that whoever makes them begins segments where the grid lists it: else segments are equally long.
    """
    own, ladder = own_sound_bps(media, profile, origin_seconds(media)), profile.ladder
    if own is not None:
        ladder = tuple(replace(rung, audio_bitrate_bps=min(rung.audio_bitrate_bps, own)) for rung in ladder)
    renditions = _suffixed(_video(media, ladder), suffix)
    audio = _audio(media, ladder, renditions)
    if own is not None and audio[0].bitrate_bps == own:
        audio = (replace(audio[0], copied=True), *audio[1:])
    if media.video is None or not renditions:
        seconds = Fraction(profile.segment_seconds).limit_denominator(1000)
        return EncodePlan(media.duration_seconds, seconds, (), audio, None, ())
    grid = segment_grid(media.video, media.duration_seconds, profile)
    seconds, spans = grid.segment_seconds, (Span(0, 0, None),)
    cut = why_not_copied(media, renditions, profile, grid, origin_seconds(media))
    if isinstance(cut, SegmentGrid) and cut.begins and not uneven:
        cut = "not everything in its profile can be cut at different distances, as its key frames are"
    if isinstance(cut, str) or media.video.groups is None:
        why = str(cut) if profile.copies else None
        return EncodePlan(media.duration_seconds, seconds, renditions, audio, grid, spans, why)
    renditions = capped_below(peak_bps(media.video.groups, cut), renditions)
    # sound has a key frame everywhere
    seconds = seconds if cut.begins else cut.segment_seconds
    return EncodePlan(media.duration_seconds, seconds, renditions, audio, cut, spans)


def segment_grid(video: VideoStream, duration_seconds: float, profile: Profile) -> SegmentGrid:
    """Segments of a whole number of frames, as near to the profile's length as the frame rate allows."""
    rate = output_frame_rate(video, profile.frame_rate_max)
    frames = max(1, round(Fraction(profile.segment_seconds).limit_denominator(1000) * rate))
    return SegmentGrid(rate, frames, max(1, round(duration_seconds * rate)))


def output_frame_rate(video: VideoStream, maximum: int) -> Fraction:
    """The source's measured rate, rounded to a usual one when it is near; halved until it is under the cap; at least 5.

    Interlaced video keeps one frame for two fields. Under 5 frames a second players' seeking suffers, so frames repeat;
    but a source with few frames for its length has no more than it is worth (`is_sparse`), down to 1 a second.
    """
    # before halving, so that 60.01 is not over a cap of 60; after it too, so that 119.88 becomes 60000/1001
    rate = _usual(min(video.frame_rate, Fraction(1000)))
    while rate > maximum:
        rate = _usual(rate / 2)
    rate = max(rate, min(MIN_RATE, Fraction(maximum)))
    if is_sparse(video, rate):
        rate = max(SPARSE_RATE, _worth(video))
    return rate if rate.denominator in (1, 1001) else Fraction(round(rate * 100), 100)


def is_sparse(video: VideoStream, rate: Fraction) -> bool:
    """Whether almost all frames would be repeated ones, at that rate."""
    return rate > max(SPARSE_RATE, _worth(video)) and rate * Fraction(video.duration_seconds) > THINNED_FRAMES


def _worth(video: VideoStream) -> Fraction:
    """The rate at which each frame is shown `MOST_REPEATS` times."""
    return Fraction(MOST_REPEATS * video.frame_count) / max(Fraction(video.duration_seconds), Fraction(1))


def _usual(rate: Fraction) -> Fraction:
    nearest = min(USUAL_RATES, key=lambda candidate: abs(rate / candidate - 1))
    return nearest if abs(rate / nearest - 1) <= RATE_TOLERANCE else rate


def fitted_size(source: tuple[int, int], rung_height: int) -> tuple[int, int]:
    """The source's display size scaled into the rung's 16:9 box (turned for portrait sources); even, never larger."""
    width, height = source
    long_side, short_side = math.ceil(rung_height * BOX_ASPECT), rung_height
    box = (long_side, short_side) if width >= height else (short_side, long_side)
    scale = min(Fraction(1), Fraction(box[0], width), Fraction(box[1], height))
    return _even(width * scale, width), _even(height * scale, height)


def _even(value: Fraction, limit: int) -> int:
    nearest = round(value / 2) * 2
    return max(2, nearest if nearest <= limit else nearest - 2)


class _Judged(NamedTuple):
    """A rung with the size that it would be made in; `other` is the next lower one that is made."""

    rung: Rung
    size: tuple[int, int]
    outcome: RungOutcome
    other: str | None

    @property
    def is_made(self) -> bool:
        return self.outcome in ("smaller", "own_size")


def rung_choices(media: MediaInfo, profile: Profile) -> tuple[RungChoice, ...]:
    """What becomes of each rung of the profile's ladder, from the highest to the lowest."""
    if media.video is None:
        rungs = sorted(profile.ladder, key=lambda rung: rung.height)
        return tuple(RungChoice(rung.name, "no_picture", wished=rung.when) for rung in reversed(rungs))
    source, judged = media.video.display_size, _judged(media.video.display_size, profile.ladder)
    names = _names(judged, source)
    smallest = next((each for each in judged if each.is_made), None)
    return tuple(
        RungChoice(
            rung=each.rung.name,
            outcome=each.outcome,
            width=each.size[0],
            height=each.size[1],
            made=names.get(each.rung.name),
            other=each.other,
            wished=each.rung.when,
            smallest=each is smallest,
        )
        for each in reversed(judged)
    )


def _judged(source: tuple[int, int], ladder: tuple[Rung, ...]) -> list[_Judged]:
    """All rungs, from the lowest to the highest."""
    judged: list[_Judged] = []
    for rung in sorted(ladder, key=lambda r: r.height):
        size = fitted_size(source, rung.height)
        made = [each for each in judged if each.is_made]
        if made and _distortion(made[-1].size, source) > ASPECT_TOLERANCE:
            last = made.pop()
            judged[judged.index(last)] = last._replace(outcome="distorted")
        outcome: RungOutcome = "own_size" if _is_native(size, source) else "smaller"
        if made:
            outcome = _surplus(size, made[-1].size, source) or outcome
        judged.append(_Judged(rung, size, outcome, made[-1].rung.name if made else None))
    return judged


def _surplus(size: tuple[int, int], below: tuple[int, int], source: tuple[int, int]) -> RungOutcome | None:
    """Why a rung is not worth its bytes beside the next lower one; None when it is."""
    if not _is_native(size, source):
        return "alike" if _pixels(size) < _pixels(below) * 1.01 else None
    if _pixels(size) >= _pixels(below) * NATIVE_GAIN:
        return None
    return "source_is_smaller" if size == below else "no_gain"


def _video(media: MediaInfo, ladder: tuple[Rung, ...]) -> tuple[VideoRendition, ...]:
    if media.video is None:
        return ()
    source = media.video.display_size
    has_audio = media.audio is not None
    chosen = [each for each in _judged(source, ladder) if each.is_made]
    names = _names(chosen, source)
    return tuple(
        VideoRendition(
            name=names[each.rung.name],
            width=each.size[0],
            height=each.size[1],
            max_bitrate_bps=each.rung.video_bitrate_bps,
            audio=_audio_name(each.rung) if has_audio else None,
            # something is there to begin with, wherever somebody begins
            when="eager" if each is chosen[0] else each.rung.when,
        )
        for each in reversed(chosen)
    )


def _suffixed(renditions: tuple[VideoRendition, ...], suffix: str) -> tuple[VideoRendition, ...]:
    return tuple(replace(r, name=f"{r.name}-{suffix}") for r in renditions) if suffix else renditions


def _pixels(size: tuple[int, int]) -> int:
    return size[0] * size[1]


def _distortion(size: tuple[int, int], source: tuple[int, int]) -> float:
    return abs(size[0] * source[1] / (size[1] * source[0]) - 1)


def _is_native(size: tuple[int, int], source: tuple[int, int]) -> bool:
    return abs(size[0] - source[0]) < 2 and abs(size[1] - source[1]) < 2


def _names(judged: Iterable[_Judged], source: tuple[int, int]) -> dict[str, str]:
    """Of the renditions that are made, by their rungs'."""
    return rendition_names(((each.rung, each.size) for each in judged if each.is_made), source)


def _audio_name(rung: Rung) -> str:
    return f"audio-{round(rung.audio_bitrate_bps / 1000)}k"


def _audio(
    media: MediaInfo, ladder: tuple[Rung, ...], renditions: tuple[VideoRendition, ...]
) -> tuple[AudioRendition, ...]:
    if media.audio is None:
        return ()
    used = {rendition.audio for rendition in renditions}
    rungs = [rung for rung in ladder if not renditions or _audio_name(rung) in used]
    # by name: rates that round to one name are one rendition
    bitrates = {_audio_name(rung): rung.audio_bitrate_bps for rung in sorted(rungs, key=lambda r: r.audio_bitrate_bps)}
    channels = min(2, max(1, media.audio.channels))
    rate = media.audio.sample_rate_hz if media.audio.sample_rate_hz in AUDIO_RATES_HZ else 48000
    return tuple(AudioRendition(name, bps, channels, rate) for name, bps in reversed(bitrates.items()))


def origin_seconds(media: MediaInfo) -> float:
    """Where the presentation begins on the container's clock: with the first of the streams that are used.

    With the video, when the audio begins less than a frame or so before it: what is cut off is an encoder's priming (21
    to 44 ms in Matroska and MPEG-TS), and the video keeps its frames without one repeated at the start. Never before 0.
    """
    starts = [stream.start_seconds for stream in (media.video, media.audio) if stream is not None]
    origin = max(0.0, min(starts, default=0.0))
    if media.video is not None and origin < media.video.start_seconds <= origin + PRIMING_SECONDS:
        origin = media.video.start_seconds
    return 0.0 if origin < 0.001 else origin
