"""What colours become: every output is 8-bit 4:2:0, limited range, and tagged where players would be wrong without.

Standard-definition BT.601 pictures keep their matrix (players honour the tags, and a conversion would only lose);
high dynamic range and wide gamut become BT.709. A source without tags is taken for what players take it for, by its
size; a rung that they would take for something else is tagged, so that every rung shows the same colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from mediaflow.plugin import VideoStream

Conversion = Literal["keep", "matrix", "gamut", "tonemap"]

HDR_TRANSFERS: Final = ("smpte2084", "arib-std-b67")
_WIDE_PRIMARIES: Final = ("bt2020", "smpte431", "smpte432")
_KEPT_MATRICES: Final = ("bt709", "smpte170m", "bt470bg")
_NOT_YUV: Final = ("rgb", "bgr", "gbr", "pal8", "argb", "abgr", "gray", "ya", "mono", "0rgb", "0bgr", "xyz", "bayer")
_UNTOLD: Final = ("unknown", "unspecified", "reserved", "")
_HD_HEIGHT: Final = 720
_PAL_HEIGHTS: Final = (288, 576)


@dataclass(frozen=True, slots=True)
class Colours:
    """What the output is tagged with (ffmpeg's names), and how the source gets there."""

    matrix: str
    primaries: str
    transfer: str
    conversion: Conversion


_BT709: Final = ("bt709", "bt709", "bt709")


def output_colours(video: VideoStream) -> Colours:
    """The output's colours for a source."""
    if video.color_transfer in HDR_TRANSFERS:
        return Colours(*_BT709, "tonemap")
    if video.color_primaries in _WIDE_PRIMARIES or (video.color_space or "").startswith("bt2020"):
        return Colours(*_BT709, "gamut")
    if video.pixel_format.startswith(_NOT_YUV):
        return Colours(*_BT709, "matrix")
    matrix = video.color_space or "unknown"
    if matrix in _KEPT_MATRICES:
        return _tagged(matrix)
    return _tagged(_guessed_matrix(video)) if matrix in _UNTOLD else Colours(*_BT709, "matrix")


def are_told(video: VideoStream, width: int, height: int) -> bool:
    """Whether an output of that size is tagged: not where the source is not either, and players take both for the same.

    A tag that the source lacks is a claim of ours, which programs that take untagged video for something else believe
    (ffmpeg: BT.601, whatever its size): they show, and measure, other colours than the source's.
    """
    is_guess = output_colours(video).conversion == "keep" and (video.color_space or "unknown") in _UNTOLD
    return not is_guess or _is_hd(video.width, video.height) != _is_hd(width, height)


def _guessed_matrix(video: VideoStream) -> str:
    """What players assume of untagged video: BT.709 from 720 lines on, below that its television system's colours."""
    if _is_hd(video.width, video.height):
        return "bt709"
    return "bt470bg" if video.height in _PAL_HEIGHTS else "smpte170m"


def _is_hd(width: int, height: int) -> bool:
    return max(height, width * 9 // 16) >= _HD_HEIGHT


def _tagged(matrix: str) -> Colours:
    # the transfer functions of BT.601 and BT.709 are one and the same; only their names differ
    return Colours(matrix, matrix, "bt709" if matrix == "bt709" else "smpte170m", "keep")
