"""The filter graphs, built with ffmpeg-python. Pure: values in, nodes out; each filter has its reason."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

import ffmpeg

from mediaflow.plugin import SegmentGrid, VideoRendition, VideoStream
from mediaflow_ffmpeg.colour import Colours, are_told, output_colours
from mediaflow_ffmpeg.light import exposure

Node = Any
"""A stream of ffmpeg-python, which ships no types."""

SCALER: Final = "bicubic"
"""Measured: bilinear and fast_bilinear cost 5-23 VMAF points for 1 % of the CPU, lanczos gains 0.2-2.1."""


def seconds(value: Fraction | float) -> str:
    """A time for ffmpeg, cut (not rounded) to the microseconds that it counts in, so that it never passes a frame."""
    microseconds = int(Fraction(value) * 1_000_000)
    return f"{microseconds // 1_000_000}.{microseconds % 1_000_000:06d}" if microseconds >= 0 else f"{float(value):.6f}"


def video_graph(
    source: Node,
    video: VideoStream,
    renditions: Sequence[VideoRendition],
    grid: SegmentGrid,
    frames: int,
    *,
    first: int = 0,
    sought: bool = False,
    brief: bool = False,
    repeats: int = 0,
) -> list[Node]:
    """One node for each rendition, from large to small, each scaled from the one before it (the cascade).

    At most `frames` frames come out, from the `first` of the presentation on: a source whose timestamps leap must not
    fill the disk with repeated frames. With `sought`, decoding began after the source's beginning.
    With `brief`, exactly so many: the last frame is kept, however short it is. It is repeated up to `repeats` times
    when less come (-1: as often as it takes).
    """
    node = deinterlaced(source, video)
    if brief:
        # The fps filter rounds the end to its grid and drops a last frame that lasts less than half of a period. ASF
        # tells of no last frame how long it is, so that of a video of one frame nothing was left. Two more periods of
        # it, of which `trim` leaves what is expected.
        node = node.filter("tpad", stop_mode="clone", stop_duration=seconds(2 / grid.frame_rate))
    # One frame grid for every rendition and span. From time 0 on: video that begins after the audio is led in by its
    # first frame, so that both begin together; not so where decoding begins in the middle. Either way a frame's number
    # is its own time's, rounded, so that a span has the frames that the whole has there.
    node = node.filter("fps", fps=str(grid.frame_rate), **({} if sought else {"start_time": 0}))
    if repeats:
        node = node.filter("tpad", stop_mode="clone", stop=repeats)
    # after `fps` a time is a frame's number
    cut = {"start_pts": first, "end_pts": first + frames} if first else {"end_frame": frames}
    node = node.filter("trim", **cut)
    return _cascade(picture(node, video, renditions[0].width, renditions[0].height), video, renditions)


def _cascade(node: Node, video: VideoStream, renditions: Sequence[VideoRendition]) -> list[Node]:
    """One node for each rendition, of a picture that has the first one's size."""
    nodes: list[Node] = []
    for rendition, smaller in zip(renditions, [*renditions[1:], None], strict=True):
        if nodes:
            node = node.filter("scale", rendition.width, rendition.height, flags=SCALER)
            # 854x480 of 1280x720 would have pixels of 1280:1281, and another init segment than when it is made alone
            node = node.filter("setsar", "1")
        made = node
        if smaller is not None:
            split = node.filter_multi_output("split", 2)
            made, node = split[0], split[1]
        nodes.append(made if are_told(video, rendition.width, rendition.height) else _untagged(made))
    return nodes


def _untagged(node: Node) -> Node:
    return node.filter("setparams", colorspace="unknown", color_primaries="unknown", color_trc="unknown")


def deinterlaced(node: Node, video: VideoStream) -> Node:
    """One progressive frame for two fields, where a frame says that it is interlaced; the frame rate stays."""
    return node.filter("bwdif", mode="send_frame", deint="interlaced") if video.interlaced else node


def picture(node: Node, video: VideoStream, width: int, height: int) -> Node:
    """The picture at that size in square pixels, in 8-bit 4:2:0 limited range with the output's colours and tags."""
    colours = output_colours(video)
    return _tagged(_scaled(node, video, colours, width, height), colours)


def black(video: VideoStream, renditions: Sequence[VideoRendition], grid: SegmentGrid, frames: int) -> list[Node]:
    """One node for each rendition, as `video_graph` has them, with nothing in the picture and no source."""
    size = f"{renditions[0].width}x{renditions[0].height}"
    node = ffmpeg.input(f"color=black:size={size}:rate={grid.frame_rate}", format="lavfi")["0"]
    node = node.filter("trim", end_frame=frames).filter("format", "yuv420p")
    return _cascade(_tagged(node, output_colours(video)), video, renditions)


def _tagged(node: Node, colours: Colours) -> Node:
    # scale keeps the display aspect by changing the sample aspect; the planner has already made the pixels square
    node = node.filter("setsar", "1")
    return node.filter(
        "setparams",
        # frames keep their "interlaced" flag through bwdif's pass-through, and x264 would write it
        field_mode="prog",
        range="tv",
        colorspace=colours.matrix,
        color_primaries=colours.primaries,
        color_trc=colours.transfer,
    )


def _scaled(node: Node, video: VideoStream, colours: Colours, width: int, height: int) -> Node:
    if colours.conversion == "tonemap":
        # in floating point and linear light: after scaling, since it costs most of all
        node = node.filter("scale", width, height, flags=SCALER)
        light = exposure(video)
        node = node.filter("zscale", **_input_tags(video), transfer="linear", npl=light.white_nits)
        node = node.filter("format", "gbrpf32le")
        node = node.filter("zscale", primaries="bt709")
        # peak: by itself, the filter takes what each frame says, or 1000. desat 0: the default bleaches bright colours
        node = node.filter("tonemap", tonemap="mobius", peak=light.peak, desat=0)
        node = node.filter("zscale", **_output_tags())
    elif colours.conversion == "gamut":
        node = node.filter("scale", width, height, flags=SCALER)
        node = node.filter("zscale", **_input_tags(video), **_output_tags())
    elif colours.conversion == "matrix":
        node = node.filter("scale", width, height, flags=SCALER, out_color_matrix="bt709", out_range="tv")
    else:
        node = node.filter("scale", width, height, flags=SCALER, out_range="tv")
    return node.filter("format", "yuv420p")


def _input_tags(video: VideoStream) -> dict[str, str]:
    """What zscale needs to know of its input: frames that lack a tag would fail with `no path between colorspaces`."""
    matrix = video.color_space if video.color_space in ("bt2020nc", "bt2020c", "bt709") else "bt2020nc"
    primaries = video.color_primaries if video.color_primaries in ("bt709", "smpte431", "smpte432") else "bt2020"
    transfer = video.color_transfer if video.color_transfer in ("smpte2084", "arib-std-b67") else "bt709"
    return {
        "matrixin": matrix,
        "primariesin": primaries,
        "transferin": transfer,
        "rangein": "pc" if video.color_range == "pc" else "tv",
    }


def _output_tags() -> dict[str, str]:
    # error diffusion: from 10 bits to 8 without bands
    return {"matrix": "bt709", "primaries": "bt709", "transfer": "bt709", "range": "tv", "dither": "error_diffusion"}
