"""Sound cut at given frames: where a run of the encoder begins, ends and is cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mediaflow_ffmpeg.jobs import FRAME_SAMPLES, AudioJob
from mediaflow_ffmpeg.opening import sound_starts

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
    its rate, and what a frame needs of the one before it is there; that segment is thrown away. It takes so many
    `packets`, where they are there.
    """

    begin: int
    end: int
    frames: tuple[int, ...]
    lead: int
    packets: int


def run_of(job: AudioJob) -> Run:
    """The run that makes the job's part."""
    samples = job.exact_samples or 0
    starts = sound_starts(samples, job.rate_hz, job.segment_seconds)
    last = job.first + job.count
    # packets that are there already need none before them
    early = min(job.first, 0 if job.copied else 1)
    begin = starts[job.first - early]
    cuts = starts[max(1, job.first + 1 - early) : last + 1]
    whole = last >= len(starts)
    end = samples if whole else min(samples, starts[last] + AHEAD_FRAMES * FRAME_SAMPLES)
    frames = ((cut - begin) // FRAME_SAMPLES for cut in cuts)
    # with the last sample comes the delay of the first one
    packets = -(-(end - begin) // FRAME_SAMPLES) + (end == samples)
    return Run(begin, end, (1, *frames), 1 + early, packets)
