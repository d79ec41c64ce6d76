"""Clips whose brightness says the second, and what a storyboard shows of them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mediaflow.testing.clips import run_ffmpeg

STEP = 3
"""Levels of brightness (16 to 235) between a second and the next."""
EARLY_SECONDS = 0.1
"""A second is told from so long before it on: a frame more or less is not what is looked for."""
_CUE = re.compile(r"([\d:.]+) --> ([\d:.]+)\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)")


def telling_seconds(
    path: Path, seconds: float, *, size: str = "160x90", rate: str = "25", options: Sequence[str] = ()
) -> Path:
    """Video of one shade of grey that grows lighter each second, with a tone. At most 70 seconds."""
    shade = f"geq=lum='20+{STEP}*floor(T+{EARLY_SECONDS})':cb=128:cr=128"
    picture = ["-f", "lavfi", "-i", f"color=black:size={size}:rate={rate}:duration={seconds},format=yuv420p,{shade}"]
    sound = ["-f", "lavfi", "-i", f"sine=sample_rate=48000:duration={seconds}", "-c:a", "aac", "-b:a", "64k"]
    coder = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "10", "-colorspace", "smpte170m"]
    run_ffmpeg([*picture, *sound, *coder, *options, str(path)])
    return path


@dataclass(frozen=True, slots=True)
class Tile:
    """A cue of a storyboard, with the second that its picture tells."""

    begin: float
    end: float
    width: int
    height: int
    shows: float


def tiles_of(text: str, read: Callable[[str], bytes]) -> list[Tile]:
    """Every cue of a WebVTT file; `read` gives the bytes of a sheet by its relative URI."""
    blocks = text.strip().split("\n\n")
    assert blocks[0] == "WEBVTT"
    cues = [_CUE.fullmatch(block) for block in blocks[1:]]
    sheets = {uri: _grey(read(uri)) for uri in dict.fromkeys(cue[3] for cue in cues if cue)}
    found = []
    for cue in cues:
        assert cue is not None, text
        x, y, width, height = (int(cue[place]) for place in (4, 5, 6, 7))
        columns, rows, pixels = sheets[cue[3]]
        assert x + width <= columns
        assert y + height <= rows
        middle = [pixels[(y + height // 2) * columns + x + width // 4 + n] for n in range(width // 2)]
        # full range again
        level = 16 + sum(middle) / len(middle) * 219 / 255
        found.append(Tile(_seconds(cue[1]), _seconds(cue[2]), width, height, (level - 20) / STEP))
    return found


def _grey(jpeg: bytes) -> tuple[int, int, bytes]:
    argv = [
        "ffmpeg",
        "-v",
        "error",
        "-f",
        "mjpeg",
        "-i",
        "-",
        "-f",
        "image2pipe",
        "-c:v",
        "pgm",
        "-pix_fmt",
        "gray",
        "-",
    ]
    done = subprocess.run(argv, input=jpeg, capture_output=True, check=True)
    _, size, _, pixels = done.stdout.split(b"\n", 3)
    columns, rows = (int(side) for side in size.split())
    assert len(pixels) == columns * rows
    return columns, rows, pixels


def _seconds(clock: str) -> float:
    hours, minutes, seconds = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
