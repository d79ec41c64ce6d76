"""Whether a picture is worth being shown for a whole video: not black, not of one shade, and not blurred."""

from __future__ import annotations

import math
from typing import Final

from mediaflow_ffmpeg.graph import Node

FINE: Final = 0
BLURRED: Final = 1
NOTHING: Final = 2
_BLACK: Final = 40
"""Of 16 to 235: nine tenths of the picture are darker."""
_FLAT: Final = 10
"""Levels of brightness that eight tenths of the picture lie within."""
_BLUR_PIXELS: Final = 15
"""How wide edges are, by the filter's measure (Marziliano and others, 2002). Sharp pictures have 4 to 10, the same ones
blurred by 8 pixels 18 to 32 (nine films).
"""


def measured(node: Node) -> Node:
    """The same picture, in limited range; ffmpeg writes what is seen of it to stdout."""
    node = node.filter("signalstats").filter("blurdetect")
    return node.filter("metadata", mode="print", file="-")


def verdict(written: bytes) -> int:
    """What the first picture of a command's stdout is: `FINE`, `BLURRED` or `NOTHING` (better ones are less). What was
    not measured is fine.
    """
    found: dict[str, float] = {}
    for line in written.decode("ascii", "replace").splitlines():
        name, equals, value = line.partition("=")
        if equals and name not in found:
            found[name] = _number(value)
    low, high = (found.get(f"lavfi.signalstats.{name}") for name in ("YLOW", "YHIGH"))
    if low is None or high is None:
        return FINE
    # `not`: a picture without any edge has no width of edges (NaN)
    is_sharp = found.get("lavfi.blur", math.nan) <= _BLUR_PIXELS
    if high < _BLACK or high - low < _FLAT:
        return NOTHING
    return FINE if is_sharp else BLURRED


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
