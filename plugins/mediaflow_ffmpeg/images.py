"""Command lines that make pictures, beside the thumbnail's. Pure; `tests/data/argv/` holds what they come to."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import ffmpeg

from mediaflow.plugin import MediaInfo, VideoStream
from mediaflow_ffmpeg.argv import ONE_THREAD, QUIET, compiled, safe
from mediaflow_ffmpeg.clocks import from_origin
from mediaflow_ffmpeg.commands import source_input
from mediaflow_ffmpeg.graph import SCALER, Node, picture

PIXELS: Final = "yuvj420p"
"""JPEG is full range with the BT.601 matrix (JFIF), whatever the video's was."""
KEY_FRAMES: Final = {"skip_frame": "nokey"}
UNREAD: Final = {"discard": "nokey"}
"""The reader leaves out what the decoder would throw away. Where frames refer to later ones, ffmpeg 5.1 then tells some
by up to three frames too late: an interval may be found without its key frame, and all be decoded."""
_WAVE = "0x8ab4ff"
_HALF: Final = "0.5"
_LAST_SECONDS: Final = 3
"""Of what is shown to the end: an interval's picture is looked for half a second after its begin."""


def tiles_command(
    media: MediaInfo,
    video: VideoStream,
    source: Path,
    size: tuple[int, int],
    origin_seconds: float,
    every_seconds: int,
    count: int,
    *,
    key_frames: bool,
) -> list[str]:
    """A source's picture in each interval of the presentation, as `0.raw`, `1.raw`, ... of `PIXELS`.

    With `key_frames` only those are decoded, and an interval without one has no file. Else each has what is shown half
    a second after its begin.
    """
    # reinit_filter 0: when the picture's size changes midway, the scaler follows; a new graph would count anew
    options: dict[str, Any] = {**from_origin(origin_seconds), **ONE_THREAD, "reinit_filter": 0}
    node = source_input(source, media, **options, **(KEY_FRAMES | UNREAD if key_frames else {}))[str(video.index)]
    node = _first_of_each(node, every_seconds, count) if key_frames else _shown_in_each(node, every_seconds)
    return _raw(picture(node, video, *size), every_seconds, count)


def rendition_tiles_command(
    file: Path, size: tuple[int, int], every_seconds: int, count: int, *, key_frames: bool
) -> list[str]:
    """The same of segments of ours, the first one among them. They have the presentation's colours, pixels and frame
    grid, and no gaps but those of segments that were left out.
    """
    options: dict[str, Any] = {**from_origin(0), **ONE_THREAD, **(KEY_FRAMES if key_frames else {})}
    node = _first_of_each(ffmpeg.input(f"file:{file}", **safe("mov"), **options)["0"], every_seconds, count)
    return _raw(node.filter("scale", *size, flags=SCALER), every_seconds, count)


def sheet_command(file: Path, target: Path, size: tuple[int, int], columns: int, rows: int) -> list[str]:
    """Tiles of `PIXELS`, one after the other in a file, as one JPEG, row by row."""
    # ffmpeg-python writes a size as 160x90
    told: dict[str, Any] = {"format": "rawvideo", "pixel_format": PIXELS, "video_size": size, "framerate": 1}
    node = ffmpeg.input(f"file:{file}", **told, **ONE_THREAD)["0"].filter("tile", f"{columns}x{rows}")
    # q 5: a tile is about 4 KB, and nobody looks at it closely
    output = ffmpeg.output(node, str(target), format="image2", update=1, **{"frames:v": 1, "q:v": 5, "c:v": "mjpeg"})
    return compiled(output, *QUIET)


def preview_command(
    moments: Sequence[tuple[Path, float]], target: Path, size: tuple[int, int], rate: Fraction, every: int
) -> list[str]:
    """The beginnings of files of one rendition, so many seconds of each, one after the other as a small silent MP4 with
    one in `every` of the frames that the grid has at that `rate`.
    """
    half = 1 / (2 * rate)  # a time may come out a hair too small
    nodes = []
    for file, seconds in moments:
        # what is behind it is never decoded: a segment may last 12 s, and be as large as the source
        until = {"t": f"{seconds + half:.4f}"}
        node = ffmpeg.input(f"file:{file}", **safe("mov"), **from_origin(0), **ONE_THREAD, **until)["0"]
        node = node.filter("fps", fps=rate / every, start_time=0).filter("trim", end=f"{seconds - half:.4f}")
        nodes.append(node.filter("scale", *size, flags=SCALER).filter("setsar", 1))
    node = ffmpeg.concat(*nodes, v=1, a=0)
    options: dict[str, Any] = {
        "c:v": "libx264",
        "preset": "veryfast",
        "profile:v": "main",
        "pix_fmt": "yuv420p",
        "crf": 29,
        # at most 250 KB in 3 s: 500 kbit/s and a full buffer
        "maxrate": 500_000,
        "bufsize": 500_000,
        # it plays before all of it is there
        "movflags": "+faststart",
        "map_metadata": -1,
        **ONE_THREAD,
    }
    return compiled(ffmpeg.output(node, str(target), format="mp4", **options), *QUIET)


def _first_of_each(node: Node, every: int, count: int) -> Node:
    now, before = f"floor(t/{every})", f"floor(prev_selected_t/{every})"
    return node.filter("select", f"between({now},0,{count - 1})*(isnan(prev_selected_t)+gt({now},{before}))")


def _shown_in_each(node: Node, every: int) -> Node:
    """A frame for every interval, also where none begins in it: the one that is still shown there."""
    node = node.filter("tpad", stop_mode="clone", stop_duration=every + _LAST_SECONDS)
    # round up: at each second there is the last frame that is not after it
    node = node.filter("setpts", f"PTS-{_HALF}/TB").filter("fps", fps="1", start_time=0, round="up")
    return node.filter("select", f"not(mod(n,{every}))") if every > 1 else node


def _raw(node: Node, every: int, count: int) -> list[str]:
    node = node.filter("scale", out_range="pc", out_color_matrix="bt601").filter("format", PIXELS)
    # a frame's time is the number of its interval, and the name of its file; another time base would round it
    node = node.filter("setpts", f"floor(T/{every})/TB").filter("settb", "1")
    options = {"c:v": "rawvideo", "frames:v": count, "enc_time_base": 1, "fps_mode": "passthrough", "frame_pts": 1}
    return compiled(ffmpeg.output(node, "%d.raw", format="image2", **options), *QUIET)


def waveform_command(
    media: MediaInfo, stream_index: int, source: Path, target: Path, size: tuple[int, int], rate_hz: int
) -> list[str]:
    """The loudness of a stream over its time as a PNG, in the middle of a black picture."""
    width, height = size
    node = source_input(source, media, **ONE_THREAD)[str(stream_index)].filter("aformat", channel_layouts="mono")
    # a short filter, for nobody hears it: a tenth of decoding
    node = node.filter("aresample", rate_hz, filter_size=4)
    # The next filter keeps all frames to the end: ten hours in frames of 1152 samples took 1.9 GB.
    node = node.filter("asetnsamples", n=8192, p=0)
    # by roots: speech of an ordinary loudness is not a thin line
    wave = node.filter("showwavespic", size=f"{width}x{height // 2}", colors=_WAVE, scale="sqrt")
    # black around it, as behind it: without alpha, what is transparent is black
    node = wave.filter("pad", width, height, 0, height // 4).filter("format", "rgb24")
    output = ffmpeg.output(node, str(target), format="image2", update=1, **{"frames:v": 1, "c:v": "png"})
    return compiled(output, *QUIET)
