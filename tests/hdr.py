"""Clips of high dynamic range whose light is known: gray patches side by side."""

from __future__ import annotations

import math
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

PATCH = 32
"""Pixels of a patch's side."""


def pq_signal(nits: float) -> float:
    """SMPTE ST 2084, the inverse EOTF: 0 to 1 for 0 to 10,000 cd/m2."""
    power = (nits / 10_000) ** (2610 / 16384)
    return float(((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32))


def hlg_signal(nits: float) -> float:
    """ARIB STD-B67 for a gray on the reference screen of 1000 cd/m2 (ITU-R BT.2100)."""
    scene = (nits / 1000) ** (1 / 1.2)
    if scene <= 1 / 12:
        return math.sqrt(3 * scene)
    return 0.17883277 * math.log(12 * scene - 0.28466892) + 0.55991073


def patches(path: Path, nits: Sequence[float], transfer: str = "smpte2084", *, options: Sequence[str] = ()) -> Path:
    """A second of gray patches of so many cd/m2, in BT.2020 of 10 bits."""
    signal = pq_signal if transfer == "smpte2084" else hlg_signal
    row = [code for level in nits for code in [round(64 + 876 * signal(level))] * PATCH]
    frame = struct.pack(f"<{len(row)}H", *row) * PATCH + struct.pack("<H", 512) * (len(row) * PATCH // 2)
    tags = f"setparams=color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc:range=tv"
    raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", f"{len(row)}x{PATCH}", "-r", "25", "-i", "-"]
    argv = ["ffmpeg", "-v", "error", "-y", *raw, "-vf", tags, *(options or ("-c:v", "ffv1")), str(path)]
    subprocess.run(argv, input=frame * 25, check=True)
    return path


def shares_of_white(file: Path, count: int) -> list[float]:
    """The luma of so many patches in the file's first frame, 0 (black, 16) to 1 (white, 235)."""
    row = f"crop=iw:2,scale={count * PATCH}:2:flags=area,format=yuv420p"
    argv = ["ffmpeg", "-v", "error", "-i", str(file), "-vf", row]
    raw = subprocess.run([*argv, "-frames:v", "1", "-f", "rawvideo", "-"], capture_output=True, check=True).stdout
    return [(raw[PATCH * number + PATCH // 2] - 16) / 219 for number in range(count)]
