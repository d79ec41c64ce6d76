"""What a presentation says of itself before it is made: which sources allow it, and the lengths that are made true."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import groupby, pairwise
from typing import Final

from mediaflow.plugin import EncodePlan, Foretold, MediaInfo, SegmentGrid, SoundPackets, VideoRendition
from mediaflow_ffmpeg.jobs import FRAME_SAMPLES, Encoder
from mediaflow_ffmpeg.options import cost

_CLOCK_SECONDS: Final = 1.0
"""A container whose clock is off by more than this from its packets is not believed."""
_SLOW_SECONDS: Final = 1.2
"""Of one core. What opens a video takes about a second more than making it at once."""
_ENCODE_SECONDS_PER_PIXEL: Final = 12e-9
_DECODE_SECONDS_PER_PIXEL: Final = 5e-9
_SPIKES: Final = 1.15
"""What AAC takes of its bit rate where sound is even (measured: up to 1.1)."""
_BURST_BITS: Final = 160_000
"""What it takes beyond that when sound begins after silence, before it finds its rate again (measured in mono)."""
_BOX_BPS: Final = 16_000
"""What a track's boxes take beside its samples, at most."""


def can_be_foretold(media: MediaInfo, plan: EncodePlan, seconds: float) -> bool:
    """True for a source whose length is certain before it is decoded, and where what comes after the first segment of
    a track of so many seconds is waited for; of one segment, the larger sizes.
    """
    declared = media.declared_duration_seconds
    certain = declared is None or abs(declared - media.duration_seconds) <= _CLOCK_SECONDS
    several = seconds > plan.segment_seconds and (plan.grid is None or plan.grid.frame_count > plan.grid.segment_frames)
    return certain and not media.warnings and (several or _is_slow(media, plan))


def _is_slow(media: MediaInfo, plan: EncodePlan) -> bool:
    """Whether all sizes of one segment of video take so long that the smallest one is shown before."""
    if media.video is None or plan.grid is None or len(plan.video) < 2:
        return False
    each = frame_seconds(plan.video, media.video.width * media.video.height, Encoder())
    return plan.grid.frame_count * each > _SLOW_SECONDS


def frame_seconds(renditions: Sequence[VideoRendition], source_pixels: int, encoder: Encoder) -> float:
    """What a frame in these renditions takes, in seconds of one core: decoded once, encoded in each."""
    return cost(encoder, renditions) * _ENCODE_SECONDS_PER_PIXEL + source_pixels * _DECODE_SECONDS_PER_PIXEL


def foretold_video(
    grid: SegmentGrid, frames: int, cap_bps: int, buffer_bits: int, frame_seconds: float = 0.0
) -> Foretold:
    """The segments of so many frames. The encoder's buffer is what runs of segments may have beyond the cap. A frame is
    expected to take so many seconds of a core.
    """
    lengths = grid.frames_of(0, grid.segments_of(0, frames))
    lengths[-1] = min(lengths[-1], frames - sum(lengths[:-1]))
    length = float(frames / grid.frame_rate)
    # RFC 8216, 4.1: half a target duration; less, where all of it is
    shortest_run = min(length, max(1, int(min(float(grid.segment_seconds), length) + 0.5)) / 2)
    return Foretold(
        tuple((len(list(same)), float(each / grid.frame_rate)) for each, same in groupby(lengths)),
        peak_bps=cap_bps + round(buffer_bits / shortest_run) + _BOX_BPS,
        average_bps=cap_bps + round(buffer_bits / length) + _BOX_BPS,
        cost=round(frame_seconds * float(grid.frame_rate), 3),
    )


def foretold_sound(
    samples: int, rate_hz: int, segment_seconds: Fraction, bitrate_bps: int, own: SoundPackets | None = None
) -> Foretold:
    """The segments of so many samples: `sound_segments`, in seconds. The source's `own` packets are known."""
    lengths = sound_segments(samples, rate_hz, segment_seconds)
    runs = tuple((len(list(same)), length / rate_hz) for length, same in groupby(lengths))
    target = max(1, int(max(lengths) / rate_hz + 0.5))
    if own is not None:
        return Foretold(runs, own.peak_bps + _BOX_BPS, own.average_bps + _BOX_BPS)
    length = sum(lengths) / rate_hz
    shortest_run = min((seconds for _, seconds in runs if 2 * seconds >= target), default=length)
    even = round(bitrate_bps * _SPIKES) + _BOX_BPS
    return Foretold(runs, even + round(_BURST_BITS / shortest_run), even + round(_BURST_BITS / length))


def sound_segments(samples: int, rate_hz: int, segment_seconds: Fraction) -> list[int]:
    """The samples of each segment, the encoder's delay among them."""
    starts = sound_starts(samples, rate_hz, segment_seconds)
    return [after - before for before, after in pairwise([*starts, samples + FRAME_SAMPLES])]


def sound_starts(samples: int, rate_hz: int, segment_seconds: Fraction) -> list[int]:
    """Where each segment begins, counted from the encoder's delay: with the first frame that is at or past a multiple
    of the segment's length (as ffmpeg's HLS muxer cuts, which makes the sound that is not foretold).
    """
    microseconds = int(segment_seconds * 1_000_000)
    return [0, *_cuts(samples + FRAME_SAMPLES, microseconds * rate_hz)]


def _cuts(total: int, ticks: int) -> Iterable[int]:
    """Samples where segments begin, but the first."""
    number = 1
    while True:
        frame = -(-ticks * number // (FRAME_SAMPLES * 1_000_000))
        if frame * FRAME_SAMPLES >= total:
            return
        yield frame * FRAME_SAMPLES
        number += 1
