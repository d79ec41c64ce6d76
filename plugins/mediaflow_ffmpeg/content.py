"""What the difficulty of a film's picture decides: the CRF of each rendition. Pure, but for `found_out`.

Each size has a CRF at which even difficult pictures are good (`x264.CRF`). What of the most difficult ones takes more
bits than its size is worth gets a higher one. Bits are foretold within a quarter by a quick look, over clips that the
numbers here were not made from; what VMAF it comes to is foretold by the CRF alone, within 3 points: nothing that is
cheap to measure foretold it better (`tests/benchmarks/content.md`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

from mediaflow.plugin import Artifact, MediaInfo, VideoRendition, Workspace
from mediaflow_ffmpeg.jobs import Encoder, VideoJob
from mediaflow_ffmpeg.looking import Look, look
from mediaflow_ffmpeg.x264 import crf, lines

FILE: Final = "difficulty.json"
_WORTH: Final = ((480, 0.83), (720, 0.61), (1080, 0.56))
"""Lines, and the share of the cap that a size is worth in the mean: even with the CRF that comes of it, each of six
clips is as good as the plain way makes it. Smaller ones are worth all of it.
"""
MOST_RAISED: Final = 4.0
_HALF_BITS: Final = 0.172
"""What each step of CRF takes away, in powers of two."""
_LOOK_PIXELS: Final = 640 * 360


@dataclass(frozen=True, slots=True)
class Decision:
    """The CRF of a rendition, what it takes in the mean, the VMAF (at its own size) that it comes to, and why."""

    crf: float
    expected_bps: int
    expected_vmaf: float
    why: str


def may_decide(encoder: Encoder) -> bool:
    """True where nobody said how good the picture shall be, of the encoder that the numbers were made for."""
    return encoder.family == "libx264" and encoder.crf is None and encoder.tune is None


def found_out(job: Look, media: MediaInfo, workspace: Workspace) -> Sequence[Artifact]:
    """Look, and tell the tasks that come after."""
    difficulty = look(job, media, workspace)
    found: dict[str, Any] = {}
    if difficulty is not None:
        rate = float(job.grid.frame_rate)
        decisions = {each.name: decide(each, difficulty, rate) for each in job.renditions}
        told = {
            name: {"crf": d.crf, "expected_bps": d.expected_bps, "expected_vmaf": d.expected_vmaf, "why": d.why}
            for name, d in decisions.items()
        }
        found = {"bits_per_pixel": difficulty, "renditions": told}
    file = workspace.directory / FILE
    file.write_text(json.dumps(found))
    return [Artifact(FILE, "findings", "application/json", file.stat().st_size)]


def decided(job: VideoJob, findings: Mapping[str, Any]) -> VideoJob:
    """The job with the CRFs that were found out for its renditions; the others have those of their sizes."""
    found = {name: told for each in findings.values() for name, told in each.get("renditions", {}).items()}
    return replace(job, crfs={r.name: found[r.name]["crf"] for r in job.renditions if r.name in found})


def decide(rendition: VideoRendition, bits_per_pixel: float, frame_rate: float) -> Decision:
    """By what the look took of each pixel of each frame."""
    usual = crf(Encoder(), rendition)
    bps = foretold_bps(rendition, bits_per_pixel, frame_rate, usual)
    worth = rendition.max_bitrate_bps * _share(lines(rendition))
    raised = min(MOST_RAISED, max(0.0, math.log2(bps / worth) / _HALF_BITS))
    if not raised:
        why = f"CRF {usual:g} for its size: expected are {_rate(bps)}, of {_rate(worth)} that it is worth."
        return Decision(usual, round(bps), foretold_vmaf(lines(rendition), usual), why)
    value = round(usual + raised, 1)
    less = foretold_bps(rendition, bits_per_pixel, frame_rate, value)
    why = (
        f"A difficult picture: CRF {usual:g}, for its size, would take {_rate(bps)}, and it is worth {_rate(worth)};"
        f" with CRF {value:g} it takes {_rate(less)}."
    )
    return Decision(value, round(less), foretold_vmaf(lines(rendition), value), why)


def foretold_bps(rendition: VideoRendition, bits_per_pixel: float, frame_rate: float, value: float) -> float:
    """What a rendition takes with that CRF, in the mean, where nothing caps it: within a quarter (root mean square)."""
    pixels = rendition.width * rendition.height
    powers = 1.111 * math.log2(max(bits_per_pixel, 1e-6)) - 0.051 - _HALF_BITS * (value - 23)
    return float(pixels * frame_rate * 2 ** (powers - 0.315 * math.log2(pixels / _LOOK_PIXELS)))


def foretold_vmaf(count: int, value: float) -> float:
    """The VMAF of so many lines with that CRF against the picture in that size, where nothing caps it: within 3."""
    steps = value - 20
    return round(min(100.0, 97.8 - 0.28 * steps - 0.065 * steps**2 + 0.34 * math.log2(count / 480)), 1)


def _share(count: int) -> float:
    """Between the sizes that were measured in proportion."""
    if count <= _WORTH[0][0]:
        return _WORTH[0][1] if count == _WORTH[0][0] else 1.0
    for (below, high), (above, low) in pairwise(_WORTH):
        if count <= above:
            return high + (low - high) * (count - below) / (above - below)
    return _WORTH[-1][1]


def _rate(bps: float) -> str:
    return f"{bps / 1e6:.1f} Mbit/s" if bps >= 1e6 else f"{bps / 1e3:.0f} kbit/s"
