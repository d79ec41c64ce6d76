"""What a source looks and sounds like, by the straightest way that ffmpeg has; to judge what was made of it."""

from __future__ import annotations

import re
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Final

from mediaflow.plugin import MediaInfo, VideoStream

PATCHES: Final = (8, 8)
"""Each picture is judged by so many averages across and down."""
_WEIGHTS: Final = {"bt709": (0.2126, 0.0722), "bt601": (0.299, 0.114)}
"""Of red and blue in luma (ITU-R BT.709 and BT.601)."""


def matrix_of(tag: str | None, video: VideoStream) -> str:
    """What players take colours for: by their tag, without one by the picture's size."""
    known = {"bt709": "bt709", "smpte170m": "bt601", "bt470bg": "bt601", "gbr": "bt709"}
    return known.get(tag or "", "bt709" if max(video.height, video.width * 9 // 16) >= 720 else "bt601")


def source_patches(source: Path, media: MediaInfo, rate: Fraction, origin: float, frame: int) -> list[float]:
    """Red, green and blue (0 to 255) of the patches of a frame of the presentation, upright, from the source itself."""
    video = media.video
    assert video is not None
    fields = "bwdif=mode=send_frame:deint=interlaced," if video.interlaced else ""
    graph = f"{fields}fps={rate}:start_time=0,trim=start_frame={frame}:end_frame={frame + 1}"
    clock = ["-itsoffset", f"{-origin if origin else 0.000001:.6f}"]
    options = [*clock, "-i", str(source), "-map", f"0:{video.index}", "-vf", graph]
    return _colours(options, matrix_of(video.color_space, video))


def output_patches(file: Path, matrix: str, frame: int) -> list[float]:
    """The same of a file of ours."""
    return _colours(["-i", str(file), "-vf", f"trim=start_frame={frame}:end_frame={frame + 1}"], matrix)


def _colours(options: list[str], matrix: str) -> list[float]:
    # averages of luma and chroma: from 1280x720 straight to 8x8 of RGB, swscale itself is off by 10
    shrunk = f"scale={PATCHES[0]}:{PATCHES[1]}:flags=area+accurate_rnd:out_range=tv"
    # without it, frames that have no tag count as BT.601
    shrunk += f":in_color_matrix={matrix}:out_color_matrix={matrix}"
    argv = ["ffmpeg", "-v", "error", *options, "-fps_mode", "passthrough", "-frames:v", "1", "-f", "rawvideo", "-"]
    argv[argv.index("-vf") + 1] += f",{shrunk},format=yuv444p"
    raw = subprocess.run(argv, capture_output=True, check=True).stdout
    plane, (red, blue), found = PATCHES[0] * PATCHES[1], _WEIGHTS[matrix], []
    for luma, cb, cr in zip(raw[:plane], raw[plane : 2 * plane], raw[2 * plane :], strict=True):
        y, b, r = (luma - 16) / 219, (cb - 128) / 224, (cr - 128) / 224
        rgb = (y + 2 * (1 - red) * r, 0.0, y + 2 * (1 - blue) * b)
        green = (y - red * rgb[0] - blue * rgb[2]) / (1 - red - blue)
        found += [255 * min(1.0, max(0.0, value)) for value in (rgb[0], green, rgb[2])]
    return found


def mean_volume_db(source: Path, stream: str = "a:0", filters: str = "") -> float:
    """The mean volume of a stream's sound, in dB below full scale, all of its channels together."""
    graph = f"{filters},volumedetect" if filters else "volumedetect"
    argv = ["ffmpeg", "-v", "info", "-i", str(source), "-map", f"0:{stream}", "-af", graph, "-f", "null", "-"]
    said = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=True).stderr
    found = re.search(r"mean_volume: (-?[\d.]+|-inf) dB", said)
    assert found is not None, said[-500:]
    return float(found[1])
