"""How bright a picture of high dynamic range is: as it says of itself, or as a few of its key frames are.

A picture of SDR has no such figures: its brightest is the screen's. HDR10 (SMPTE ST 2084) counts absolute light up to
10,000 cd/m2 and uses mostly a tenth of it; HLG (ARIB STD-B67) counts in shares of a screen's light, which is here that
of ITU-R BT.2100's reference, 1000 cd/m2.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from mediaflow.domain.errors import TaskFailed
from mediaflow.domain.media import VideoStream
from mediaflow.media.decoders import ALLOCATION_BYTES, safe_input_options
from mediaflow.sandbox.process import Limits, ProcessRunner

FRAMES: Final = 5
"""Measured at key frames in the middle of so many equal parts: about a tenth of a second each of 4K HEVC."""
SIZE: Final = (128, 72)
"""Whole pictures in so many pixels, each an average: a spark of three pixels is no level to leave room for."""
_LEFT_OUT: Final = 1000
"""One pixel of so many may be brighter than the peak."""
_LEAST_NITS: Final = 1.0
_MOST_NITS: Final = 10_000.0
_CODES: Final = range(1024)
_LIMITS: Final = Limits(wall_seconds=30)
Codes = Sequence[int]
Nits = Callable[[Codes, Codes, Codes], Iterable[float]]
"""The light of pixels' brightest components, from their coded red, green and blue."""


@dataclass(frozen=True, slots=True)
class Light:
    """In cd/m2. `average` is that of a usual frame's brightest components; None: only the peak is known."""

    peak_nits: float
    average_nits: float | None = None


def with_light(video: VideoStream, light: Light | None) -> VideoStream:
    """The stream with that light, as far as it is known."""
    return video if light is None else replace(video, peak_nits=light.peak_nits, average_nits=light.average_nits)


def together(stated: Light | None, measured: Light | None) -> Light | None:
    """What is known from both: the brightest pixel of all is not among those of a few frames."""
    if stated is None or measured is None:
        return stated or measured
    return replace(measured, peak_nits=max(stated.peak_nits, measured.peak_nits))


def stated_light(document: Mapping[str, Any], index: int) -> Light | None:
    """What ffprobe's answer says of a stream: MaxCLL (CTA-861.3), the brightest pixel of all; 0 stands for "unknown".

    MaxFALL, the average of the brightest frame, says nothing of the others; the mastering display's peak is what a
    screen could show, not what was shown. Phones write the same figures into all that they record.
    """
    for item in _side_data(document, index):
        peak = _number(item.get("max_content"))
        if _LEAST_NITS <= peak <= _MOST_NITS:
            return Light(peak)
    return None


def _side_data(document: Mapping[str, Any], index: int) -> Iterable[Mapping[str, Any]]:
    """What the container says of a stream, then what its first frames do."""
    for stream in document.get("streams", []):
        if stream.get("index") == index:
            yield from stream.get("side_data_list", [])
    for frame in document.get("frames", []):
        if frame.get("stream_index") == index:
            yield from frame.get("side_data_list", [])


def measured_light(video: VideoStream, source: Path, processes: ProcessRunner, formats: str) -> Light | None:
    """What a few key frames show, the same each time. None when none of them decodes."""
    try:
        done = processes.run(_argv(video, source, formats), reads=[source], limits=_LIMITS)
    except TaskFailed:
        return None  # its picture may still be made, with the usual levels
    return light_of(done.stdout, hlg_nits if video.color_transfer == "arib-std-b67" else pq_nits)


def _argv(video: VideoStream, source: Path, formats: str) -> list[str]:
    """Raw frames of `SIZE` in coded R'G'B' of 10 bits, full range, on stdout: planes of green, blue and red."""
    argv = ["ffmpeg", "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-max_alloc", str(ALLOCATION_BYTES)]
    # frames may lack the tags, which are known
    chains, levels = [], "full" if video.color_range == "pc" else "limited"
    for part in range(FRAMES):
        at = video.start_seconds + video.duration_seconds * (part + 0.5) / FRAMES
        # of a key frame nothing before it needs decoding
        argv += ["-skip_frame", "nokey", "-noaccurate_seek", "-ss", f"{max(0.0, at):.3f}", "-threads", "1"]
        argv += [*safe_input_options(formats), "-i", f"file:{source}"]
        # area: each pixel is the average of all that it stands for
        shrunk = f"trim=end_frame=1,scale={SIZE[0]}:{SIZE[1]}:flags=area,format=yuv444p10,setsar=1"
        decoded = f"zscale=matrixin=2020_ncl:rangein={levels}:matrix=gbr:range=full,format=gbrp10"
        chains.append(f"[{part}:{video.index}]{shrunk},{decoded}[p{part}]")
    joined = "".join(f"[p{part}]" for part in range(FRAMES))
    graph = ";".join([*chains, f"{joined}concat=n={FRAMES}[all]"])
    return [*argv, "-filter_complex", graph, "-map", "[all]", "-fps_mode", "passthrough", "-f", "rawvideo", "-"]


def light_of(frames: bytes, nits: Nits) -> Light | None:
    """The light of raw frames as `_argv` makes them. The peak is the brightest frame's, the average the middle's."""
    plane = SIZE[0] * SIZE[1]
    peaks, averages = [], []
    for start in range(0, len(frames) - 6 * plane + 1, 6 * plane):
        codes = array("H", frames[start : start + 6 * plane])
        green, blue, red = (codes[at : at + plane] for at in (0, plane, 2 * plane))
        levels = sorted(nits(red, green, blue))
        peaks.append(levels[-1 - plane // _LEFT_OUT])
        averages.append(sum(levels) / plane)
    if not peaks:
        return None
    peak, average = max(peaks), sorted(averages)[len(averages) // 2]
    return Light(round(max(_LEAST_NITS, peak), 1), round(average, 1))


def pq_nits(red: Codes, green: Codes, blue: Codes) -> Iterable[float]:
    """SMPTE ST 2084: each component is light by itself."""
    table = _pq_table()
    return [table[max(pixel)] for pixel in zip(red, green, blue, strict=True)]


def hlg_nits(red: Codes, green: Codes, blue: Codes) -> Iterable[float]:
    """ITU-R BT.2100, table 5: the scene's light, by the screen's gamma of 1.2 for 1000 cd/m2."""
    table = _hlg_table()
    levels = []
    for pixel in zip(red, green, blue, strict=True):
        r, g, b = (table[code] for code in pixel)
        levels.append(1000 * (0.2627 * r + 0.6780 * g + 0.0593 * b) ** 0.2 * max(r, g, b))
    return levels


@cache
def _pq_table() -> list[float]:
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    powers = [(code / _CODES[-1]) ** (1 / m2) for code in _CODES]
    return [_MOST_NITS * (max(0.0, power - c1) / (c2 - c3 * power)) ** (1 / m1) for power in powers]


@cache
def _hlg_table() -> list[float]:
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    signals = [code / _CODES[-1] for code in _CODES]
    return [signal**2 / 3 if signal <= 0.5 else (math.exp((signal - c) / a) + b) / 12 for signal in signals]


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return 0.0
