"""Real pictures for the benchmarks: a clip of the corpus where it is at hand, repeated and cut without encoding."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from mediaflow.testing.clips import make_clip, run_ffmpeg
from tests.corpus import corpus_directory

REAL: Final = "vladyslavuhr__bbb_1080p25_first_half_moov_at_end.mp4"
"""Half a minute of 1080p25 with sound, at 3.7 Mbit/s."""


def real_clip(directory: Path) -> Path:
    """Some half a minute of 1080p: `BENCH_CLIP`, or a real one, or else ffmpeg's test picture."""
    if named := os.environ.get("BENCH_CLIP"):
        return Path(named)
    corpus = corpus_directory()
    if corpus is not None and (corpus / REAL).exists():
        return corpus / REAL
    return make_clip(directory / "made.mp4", seconds=30, width=1920, height=1080)


def repeated(clip: Path, target: Path, seconds: float) -> Path:
    """The clip again and again, so long."""
    run_ffmpeg(["-stream_loop", "-1", "-i", str(clip), "-c", "copy", "-t", str(seconds), str(target)])
    return target


def beginning(clip: Path, target: Path, seconds: float) -> Path:
    """The clip's first seconds."""
    run_ffmpeg(["-i", str(clip), "-c", "copy", "-t", str(seconds), str(target)])
    return target
