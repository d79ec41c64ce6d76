"""What a viewer would see and hear: measured by decoding files of ours."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from mediaflow.testing.clips import run_ffmpeg

_BRIGHT: Final = 100.0
"""Mean luma above this is the flash of `flash_and_beep`."""
_LOUD_DB: Final = -30.0
_WINDOW_SAMPLES: Final = 240
"""Loudness is measured in windows of so many samples: 5 ms at 48 kHz."""


def joined(target: Path, parts: Iterable[Path]) -> Path:
    """An init segment and media segments as one file."""
    target.write_bytes(b"".join(part.read_bytes() for part in parts))
    return target


def flash_times(file: Path) -> list[float]:
    """When each flash begins, in the file's own time (seconds)."""
    return _rising(brightness(file), _BRIGHT)


def brightness(file: Path) -> list[tuple[float, float]]:
    """The time of each frame, in the file's own time (seconds), and its mean luma."""
    # copyts: without it ffmpeg counts from the file's first timestamp
    graph = "signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-"
    return list(_values(["-copyts", "-i", str(file), "-vf", graph, "-fps_mode", "passthrough", "-f", "null", "-"]))


def beep_times(file: Path) -> list[float]:
    """When each beep begins, in the file's own time (seconds), to 5 ms."""
    graph = (
        f"asetnsamples=n={_WINDOW_SAMPLES},astats=metadata=1:reset=1,"
        "ametadata=print:key=lavfi.astats.Overall.RMS_level:file=-"
    )
    return _rising(_values(["-copyts", "-i", str(file), "-af", graph, "-f", "null", "-"]), _LOUD_DB)


def _values(arguments: list[str]) -> Iterator[tuple[float, float]]:
    """Time and value of each frame that a metadata filter printed."""
    at = 0.0
    for line in run_ffmpeg(arguments).splitlines():
        if found := re.search(r"pts_time:(-?[\d.]+)", line):
            at = float(found[1])
        elif "=" in line:
            yield at, float(line.rsplit("=", 1)[1])


def _rising(values: Iterable[tuple[float, float]], threshold: float) -> list[float]:
    return [now[0] for before, now in itertools.pairwise(values) if before[1] <= threshold < now[1]]
