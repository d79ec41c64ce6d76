"""How well bits and VMAF are foretold of a film: `BENCH_CLIPS=directory python -m tests.benchmarks.content`.

Each clip is looked at as `video.h264` does it, and encoded in each size with the CRF of its lines and with what is
decided, by one thread. Prints a table in Markdown, as in `content.md`, of what was foretold and what came of it.
"""

from __future__ import annotations

import math
import os
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from mediaflow.plugin import SegmentGrid, VideoRendition, Workspace
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing.steps import probed
from mediaflow_ffmpeg.content import decide
from mediaflow_ffmpeg.looking import look, look_of
from mediaflow_ffmpeg.x264 import lean
from tests.benchmarks.clips import six_clips
from tests.benchmarks.frontier import PEAK
from tests.benchmarks.quality import PLAIN, encoded, raw, vmaf

PRESET: Final = "superfast"


@dataclass(frozen=True, slots=True)
class Foretold:
    """What was foretold of a size and what came of it: bits a second, and VMAF at its own size."""

    clip: str
    rung: str
    crf: float
    foretold_bps: float
    bps: float
    foretold_vmaf: float
    vmaf: float

    @property
    def off(self) -> float:
        """Of the bits, in powers of two."""
        return math.log2(self.foretold_bps / self.bps)

    @property
    def row(self) -> str:
        return (
            f"| {self.clip} | {self.rung} | {self.crf:g} | {self.foretold_bps / 1000:.0f} | {self.bps / 1000:.0f} |"
            f" {self.foretold_vmaf:.1f} | {self.vmaf:.1f} |"
        )


def main() -> None:
    """See the module."""
    print("| clip | rung | CRF | foretold kbit/s | kbit/s | foretold VMAF | VMAF |\n|---|---|---|---|---|---|---|")
    found = []
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_TMP")) as directory:
        for clip, path in six_clips(Path(directory)).items():
            for each in _of(clip, path.resolve(), Path(directory)):
                print(each.row, flush=True)
                found.append(each)
    bits, points = _rms([each.off for each in found]), _rms([each.foretold_vmaf - each.vmaf for each in found])
    print(f"\nroot mean square: bits {2**bits - 1:.0%}, VMAF {points:.1f}")


def _rms(errors: list[float]) -> float:
    return math.sqrt(statistics.fmean(error**2 for error in errors))


def _of(clip: str, path: Path, directory: Path) -> Iterator[Foretold]:
    pictures = {height: raw(path, directory / f"{height}.yuv", height) for height, _ in PLAIN}
    sizes = {(made.width, made.height): height for height, made in pictures.items()}
    source, processes = pictures[max(pictures)], SandboxedRunner("off")
    rate = Fraction(source.rate)
    renditions = [
        VideoRendition(f"{height}p", width, lines, round(PEAK * dict(PLAIN)[height]), None)
        for (width, lines), height in sizes.items()
    ]
    grid = SegmentGrid(rate, round(4 * rate), max(source.frames, math.ceil(20 * rate)))
    job = look_of(grid, [*renditions, renditions[-1]], 0.0)
    workspace = Workspace(directory, path, lambda _: None, processes, {}, {}, lambda _: None)
    difficulty = look(job, probed(path, processes), workspace) if job is not None else None
    if difficulty is None:
        raise RuntimeError(f"Nothing of {path} could be looked at.")
    for rendition in renditions:
        decision = decide(rendition, difficulty, float(rate))
        picture = pictures[sizes[rendition.width, rendition.height]]
        made = directory / "made.mp4"
        encoded(picture, _options(decision.crf, rendition, rate), made)
        bps = made.stat().st_size * 8 * float(rate) / picture.frames
        yield Foretold(
            clip, rendition.name, decision.crf, decision.expected_bps, bps, decision.expected_vmaf, vmaf(made, picture)
        )
    for picture in pictures.values():
        picture.path.unlink()


def _options(crf: float, rendition: VideoRendition, rate: Fraction) -> list[str]:
    group, cap = str(round(2 * rate)), rendition.max_bitrate_bps
    rates = ["-maxrate", str(cap), "-bufsize", str(2 * cap)]
    return [
        "-preset",
        PRESET,
        "-crf",
        str(crf),
        "-g",
        group,
        "-sc_threshold",
        "0",
        *rates,
        "-x264-params",
        lean(PRESET),
    ]


if __name__ == "__main__":
    main()
