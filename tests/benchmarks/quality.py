"""How good a picture is: VMAF against its source, by the ffmpeg of `imageio-ffmpeg` (the extra `benchmarks`), since
Debian's has no libvmaf. Nothing of it is needed to run the service.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SUBSAMPLE: Final = 5
"""Every so many frames one is judged."""
_ONE_MATRIX: Final = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
"""Since version 7 ffmpeg converts one input of libvmaf where only one of the two is tagged (it takes the other for
BT.601): the very same picture then measures 3 to 6 points less.
"""
PLAIN: Final = ((1080, 5_000_000), (720, 2_500_000), (480, 1_000_000), (360, 600_000))
"""Heights and bit rates of the plain way, and of the default profile's caps."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Decoded pictures, 8-bit 4:2:0 without any header: encoding and judging begin with the same ones."""

    path: Path
    width: int
    height: int
    rate: str

    @property
    def frames(self) -> int:
        return self.path.stat().st_size // (self.width * self.height * 3 // 2)

    @property
    def input(self) -> list[str]:
        """As an input of ffmpeg."""
        size = f"{self.width}x{self.height}"
        return ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size, "-r", self.rate, "-i", str(self.path)]


def vmaf_ffmpeg() -> str:
    """The ffmpeg that can measure VMAF. ModuleNotFoundError without the extra."""
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


def raw(clip: Path, target: Path, height: int, *, selected: str | None = None) -> Raw:
    """A clip at that height, or at its own where it is lower; of its frames those that are `selected` (ffmpeg's filter
    of that name).
    """
    width, own, rate = _shape(clip)
    size = (width, own) if own <= height else (round(width * height / own / 2) * 2, height)
    chosen = f"select='{selected}',setpts=N/({rate})/TB," if selected else ""
    scale = f"{chosen}scale={size[0]}:{size[1]}:flags=bicubic,format=yuv420p"
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(clip), "-an", "-vf", scale, "-fps_mode", "passthrough"]
    subprocess.run([*command, "-f", "rawvideo", str(target)], check=True)
    return Raw(target, *size, rate)


def encoded(source: Raw, options: Sequence[str], target: Path) -> float:
    """Encodes by x264 with one thread; seconds of a core that it took."""
    command = ["ffmpeg", "-v", "error", "-y", *source.input, "-c:v", "libx264", "-threads", "1", *options, str(target)]
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"ffmpeg ended with {process.returncode}: {command}")
    return usage.ru_utime


def vmaf(made: Path | str, source: Raw, *, threads: int = 1, subsample: int = SUBSAMPLE) -> float:
    """The mean over the frames, as the larger of the two is shown: what was made is scaled up to the source's size.
    Frame by frame in order, whatever their times.
    """
    with tempfile.TemporaryDirectory() as directory:
        told = Path(directory) / "vmaf.json"
        judged = f"libvmaf=n_threads={threads}:n_subsample={subsample}:log_fmt=json:log_path={told}"
        size = f"{source.width}:{source.height}"
        made_up = f"[0:v]{_ONE_MATRIX},scale={size}:flags=bicubic,format=yuv420p,setpts=N/25/TB[a]"
        graph = f"{made_up};[1:v]{_ONE_MATRIX},setpts=N/25/TB[b];[a][b]{judged}"
        command = [vmaf_ffmpeg(), "-v", "error", "-nostdin", "-i", str(made), *source.input, "-lavfi", graph]
        subprocess.run([*command, "-f", "null", "-"], check=True, capture_output=True)
        return float(json.loads(told.read_text())["pooled_metrics"]["vmaf"]["mean"])


def _shape(clip: Path) -> tuple[int, int, str]:
    """Width, height and frames a second."""
    shown = ["-show_entries", "stream=width,height,r_frame_rate", "-of", "json"]
    told = subprocess.check_output(["ffprobe", "-v", "error", "-select_streams", "v:0", *shown, str(clip)])
    stream = json.loads(told)["streams"][0]
    return stream["width"], stream["height"], stream["r_frame_rate"]
