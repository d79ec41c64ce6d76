"""Sound cut at given frames: where a run of the encoder begins, ends and is cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mediaflow_ffmpeg.jobs import AudioJob
from mediaflow_ffmpeg.opening import FRAME_SAMPLES, sound_starts

RAW: Final = "raw"
"""The ending of a piece that may still be written to."""
AHEAD_FRAMES: Final = 2
"""The encoder looks so far beyond a frame. What it makes of them shows, too, that the segment before is whole."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the encoder over the samples from `begin` to `end` of the presentation, cut before `frames` of its own
    frames into pieces, of which the first `lead` are no segments of the part.

    The first piece is the init segment: the muxer writes it when it is told to end a piece for the first time, and so
    is told after one frame. A part that begins in the middle is begun one segment early, so that the encoder has found
    its rate, and what a frame needs of the one before it is there; that segment is thrown away.
    """

    begin: int
    end: int
    frames: tuple[int, ...]
    lead: int


def run_of(job: AudioJob) -> Run:
    """The run that makes the job's part."""
    samples = job.exact_samples or 0
    starts = sound_starts(samples, job.rate_hz, job.segment_seconds)
    last = job.first + job.count
    begin = starts[max(0, job.first - 1)]
    cuts = starts[max(1, job.first) : last + 1]
    whole = last >= len(starts)
    end = samples if whole else min(samples, starts[last] + AHEAD_FRAMES * FRAME_SAMPLES)
    frames = ((cut - begin) // FRAME_SAMPLES for cut in cuts)
    return Run(begin, end, (1, *frames), 2 if job.first else 1)
