"""What looking at a source and running a step of it may cost, from what is known of the source. Pure."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from mediaflow.domain.media import MediaInfo
from mediaflow.sandbox.budget import Budget

_MEBIBYTE: Final = 1024**2

CEILING_BYTES: Final = 2048 * _MEBIBYTE
CEILING_BYTES_PER_CORE: Final = 64 * _MEBIBYTE
"""The ceiling of memory where no setting says one: programs keep frames for each core that they use."""
STEP_BYTES: Final = 768 * _MEBIBYTE
BYTES_PER_PIXEL: Final = 64
"""1080p into four renditions took 540 MiB (measured); of the source's pictures 40 are held at most, with 1.5 bytes a
pixel, or half as many with more.
"""
PROBE_CPU_SECONDS: Final = 120.0
WRITTEN_BYTES: Final = 256 * _MEBIBYTE
WRITTEN_BYTES_PER_SECOND: Final = 16_000_000
WRITTEN_FILES: Final = 10_000
WRITTEN_FILES_PER_SECOND: Final = 20
"""Many times what a ladder makes: 1.5 MB and one file a second."""


def memory_ceiling(setting: int) -> int:
    """The most memory of one task in bytes: the setting's, or by this machine's cores when it is 0."""
    return setting or CEILING_BYTES + CEILING_BYTES_PER_CORE * (os.cpu_count() or 1)


def probe_budget(ceiling_bytes: int) -> Budget:
    """For programs that look at a source of which nothing is known yet: half the ceiling."""
    return Budget(ceiling_bytes // 2, PROBE_CPU_SECONDS)


def step_budget(media: MediaInfo, limit_seconds: float, directory: Path, ceiling_bytes: int) -> Budget:
    """For one task of a step, with all the programs that it starts."""
    pixels = media.video.width * media.video.height if media.video else 0
    return Budget(
        memory_bytes=min(ceiling_bytes, STEP_BYTES + BYTES_PER_PIXEL * pixels),
        cpu_seconds=limit_seconds * (os.cpu_count() or 1),
        directory=directory,
        written_bytes=WRITTEN_BYTES + round(WRITTEN_BYTES_PER_SECOND * media.duration_seconds),
        written_files=WRITTEN_FILES + round(WRITTEN_FILES_PER_SECOND * media.duration_seconds),
    )
