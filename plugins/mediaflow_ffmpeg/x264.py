"""Settings of x264 for each rendition: what was measured to look best for its time (`tests/benchmarks/frontier.md`)."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

from mediaflow.plugin import VideoRendition
from mediaflow_ffmpeg.jobs import BUFFER_SECONDS, Encoder, VideoJob

Curve = tuple[tuple[int, float], ...]
"""Lines of a picture, from few to many, and the quality for so many."""
PRESET_COST: Final = {
    "ultrafast": 0.5,
    "superfast": 0.65,
    "veryfast": 1.0,
    "faster": 1.5,
    "fast": 1.8,
    "medium": 2.5,
    "slow": 4.0,
    "slower": 8.0,
    "veryslow": 15.0,
}
"""CPU time against veryfast (measured up to medium)."""
CRF: Final[Curve] = ((360, 16.5), (480, 17.5), (720, 19.5), (1080, 21.0), (2160, 24.0))
"""The CRF at which even the most difficult of six clips is as good as the plain way makes it,
in less than half the time. The fewer lines, the more each is enlarged, and its errors with it.
"""
_LEAN: Final = {
    "superfast": "aq-strength=0.6:mbtree=1:rc-lookahead=20:trellis=1",
    "veryfast": "aq-strength=0.6:rc-lookahead=20:trellis=1",
}
"""Beside a preset: 0.7 to 0.8 of the bits at equal VMAF, in the same time. They give too much to what is flat, look
ahead for less than half a second and weigh no coefficients. With these, `superfast` is as good as `veryfast` with the
same CRF, for a tenth more bits and two thirds of the time.
"""
_QUICK: Final = ("superfast", "mbtree=1:rc-lookahead=10")
_HASTE: Final = {"superfast": _QUICK, "veryfast": _QUICK}
"""Presets that wait for fewer frames, or take a quarter to a third less time, under the same init segment, and what
makes up for their losses: the same quality (SSIM) for 0 to 8 % more bytes. Slower presets have none such.
"""


def h264_options(job: VideoJob) -> dict[str, Any]:
    """The encoder's options of an output with all of the job's renditions, as ffmpeg-python takes them."""
    preset, look = _preset(job.encoder)
    options: dict[str, Any] = {
        "c:v": "libx264",
        "preset": preset,
        "profile:v": job.encoder.profile,
        "pix_fmt": "yuv420p",
        # frames leave the fps filter on their grid; nothing shall repeat or drop any after it
        "fps_mode": "passthrough",
        "g": job.gop_frames,
        # no key frame at scene cuts: key frames must fall on the same frames in every rendition
        "keyint_min": job.gop_frames,
        "sc_threshold": 0,
        # a segment's first frame is a key frame also where segments are no multiple of the interval
        "force_key_frames": _segment_frames(job),
        # ... and one after which no frame refers to an earlier one
        "forced-idr": 1,
        "flags:v": "+cgop",
        # stitchable: spans that differ in quality still share one picture parameter set, and so one init segment.
        # chromaloc: to the left, where scaling puts it; else the source's own would stand in the init segment.
        "x264-params": ":".join(["stitchable=1:chromaloc=0", *look]),
    }
    if job.encoder.tune:
        options["tune"] = job.encoder.tune
    for number, rendition in enumerate(job.renditions):
        options |= {
            # constant quality under a cap: rate control must not look across spans
            f"crf:v:{number}": job.crfs.get(rendition.name, crf(job.encoder, rendition)),
            f"maxrate:v:{number}": rendition.max_bitrate_bps,
            f"bufsize:v:{number}": BUFFER_SECONDS * rendition.max_bitrate_bps,
        }
    return options


def _segment_frames(job: VideoJob) -> str:
    """Which frames begin segments, as ffmpeg takes it."""
    if not job.grid.begins:
        return f"expr:not(mod(n,{job.grid.segment_frames}))"
    first = job.span.first_segment
    # a little early: no rounding may find the frame behind it
    begins = (job.grid.first_frame(first + place) - Fraction(1, 4) for place in range(job.segment_count))
    return ",".join(f"{max(0.0, float(begin / job.grid.frame_rate)):.6f}" for begin in begins)


def crf(encoder: Encoder, rendition: VideoRendition) -> float:
    """The encoder's own, or the one for so many lines, to a tenth."""
    return by_lines(lines(rendition), CRF) if encoder.crf is None else encoder.crf


def lean(preset: str) -> str:
    """The options beside a preset, as x264 takes them; "" for one without any."""
    return _LEAN.get(preset, "")


def lines(rendition: VideoRendition) -> int:
    """Of the smallest 16:9 box that holds the picture: 2.4:1 in 1920 columns is looked at as 1080 lines are."""
    long, short = max(rendition.width, rendition.height), min(rendition.width, rendition.height)
    return max(short, long * 9 // 16)


def by_lines(count: int, curve: Curve) -> float:
    """The quality for so many lines, to a tenth; between those that were measured in proportion."""
    if count <= curve[0][0]:
        return curve[0][1]
    for (below, low), (above, high) in pairwise(curve):
        if count <= above:
            return round(low + (high - low) * (count - below) / (above - below), 1)
    return curve[-1][1]


def _preset(encoder: Encoder) -> tuple[str, list[str]]:
    """The preset, and the options beside it."""
    if encoder.hasty and encoder.preset in _HASTE:
        preset, look = _HASTE[encoder.preset]
        return preset, [look]
    # a tune has its own idea of what is flat
    lean = _LEAN.get(encoder.preset) if encoder.tune is None else None
    return encoder.preset, [lean] if lean else []
