"""Whether an encoder works on this machine: it encodes a few frames, with the options of its row."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Final

from mediaflow.plugin import Limits, ProcessRunner, SegmentGrid, Span, TaskFailed, VideoRendition, VideoStream
from mediaflow_ffmpeg.commands import HERE, init_command
from mediaflow_ffmpeg.encoding import first_line
from mediaflow_ffmpeg.families import Family
from mediaflow_ffmpeg.jobs import INIT_FRAMES, Encoder, VideoJob
from mediaflow_ffmpeg.verify import read_tracks

_LIMITS: Final = Limits(wall_seconds=60)
_WIDTH, _HEIGHT, _RATE = 640, 360, Fraction(25)
"""Cards refuse what is much smaller."""


def lacks(family: Family, processes: ProcessRunner) -> str | None:
    """None when it works; else what ffmpeg says, and what to do."""
    said = _fails(family, processes)
    if said is None:
        return None
    instead = "name another encoder" if family.devices else f"take {family.step} out of the profile"
    way_out = (
        f"let this user use {' '.join(family.devices)} (Debian: group render) and install its driver"
        if family.devices
        else "install an ffmpeg that has it (Debian: apt-get install ffmpeg)"
    )
    return f"the encoder {family.encoder} does not work here ({said}); {way_out}, or {instead}"


def _fails(family: Family, processes: ProcessRunner) -> str | None:
    rendition = VideoRendition("trial", _WIDTH, _HEIGHT, 1_000_000, None)
    grid = SegmentGrid(_RATE, int(_RATE), INIT_FRAMES)
    encoder = Encoder(family=family.encoder, preset=family.usual)
    job = VideoJob((rendition,), grid, Span(0, 0, 1), encoder, 0.0, INIT_FRAMES, exact=True)
    with tempfile.TemporaryDirectory(prefix="mediaflow-trial-") as directory:
        try:
            argv = init_command(job, _black(), HERE)
            done = processes.run(argv, writes=Path(directory), limits=_LIMITS)
            if done.returncode != 0:
                return first_line(done.stderr)
            read_tracks(Path(directory), [rendition.name], 0)
        except TaskFailed as error:
            return error.detail
    return None


def _black() -> VideoStream:
    frames = Fraction(INIT_FRAMES)
    return VideoStream(
        index=0,
        codec="rawvideo",
        width=_WIDTH,
        height=_HEIGHT,
        sample_aspect_ratio=Fraction(1),
        rotation_degrees=0,
        frame_rate=_RATE,
        frame_count=INIT_FRAMES,
        start_seconds=0.0,
        duration_seconds=float(frames / _RATE),
        pixel_format="yuv420p",
        field_order="progressive",
    )


def named(families: Iterable[Family]) -> dict[str, dict[str, str]]:
    """The parameters that ask for each, by its name. x264 is what no machine goes without."""
    return {family.encoder: {"encoder": family.encoder} for family in families if family.encoder != "libx264"}
