"""How much light becomes white: from high dynamic range to a screen of 8 bits. Pure.

What is a third of white or less keeps its light, as it has in a grading for such screens; above it a curve brings the
brightest pixel just to white (`mobius` of ffmpeg's `tonemap`). Measured with gray patches of 1000 cd/m2 at most: 203
cd/m2 come out at 85 % of the signal, 100 at 72 %, 26 at 42 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mediaflow.plugin import VideoStream

GRAPHICS_NITS: Final = 203.0
"""A sheet of paper, a caption: the reference white of HDR (ITU-R BT.2408, 2.1), and that of SDR in it."""
SDR_NITS: Final = 100.0
"""The white of a screen of SDR: what never is brighter than that was meant to be no brighter."""
USUAL_PEAK_NITS: Final = 1000.0
"""Where nothing is known: the brightest of nearly all masters and phones, and HLG's reference screen."""
_AVERAGE_SHARE: Final = 2 / 3
"""Of white, at most, for a usual frame's average: phones record a sunny day with an average of 300 cd/m2 and more."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """`white_nits` is the light (cd/m2) that would be white without a curve, `peak` the brightest in shares of it."""

    white_nits: float
    peak: float


def exposure(video: VideoStream) -> Exposure:
    """For a source of high dynamic range, by its own light: one for all of it, so that its parts fit together."""
    peak = video.peak_nits if video.peak_nits is not None else USUAL_PEAK_NITS
    white = min(max(peak, SDR_NITS), GRAPHICS_NITS)
    white = max(white, min((video.average_nits or 0.0) / _AVERAGE_SHARE, peak))
    return Exposure(round(white, 1), round(max(1.0, peak / white), 3))
