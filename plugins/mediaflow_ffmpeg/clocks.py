"""Options that set the clock of an input. Every option has its reason here."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any


def from_origin(origin_seconds: float) -> dict[str, str]:
    """The option that sets the source's clock so that the presentation's first moment is 0.

    Needed where a stream that is not used begins before those that are. Given always: without it, ffmpeg counts an MPEG
    or Ogg file from the first stream that *this command* uses, and picture and sound, made by two commands, part. One
    microsecond is enough to keep it from that, and no time base of a stream notices.
    """
    return {"itsoffset": f"{_origin_offset(origin_seconds) / 1_000_000:.6f}"}


def from_middle(origin_seconds: float, at_seconds: Fraction) -> dict[str, Any]:
    """The same for a source of which nothing is needed before that moment of the presentation: decoding begins with the
    last key frame before it. Every frame has the time that it has with `from_origin`, to the microsecond and before any
    rounding: ffmpeg takes `ss` off all times, and `itsoffset` puts it on again.
    """
    offset = _origin_offset(origin_seconds)
    microseconds = int(at_seconds * 1_000_000) - offset
    return {
        "ss": f"{microseconds / 1_000_000:.6f}",
        "itsoffset": f"{(microseconds + offset) / 1_000_000:.6f}",
        # what is decoded before that moment is left to the graph, which counts frames as it does without a seek
        "noaccurate_seek": None,
    }


def counted_from(
    origin_seconds: float, at_seconds: Fraction, options: Mapping[str, Any]
) -> tuple[dict[str, str], dict[str, Any]]:
    """For packets that are copied from that moment of the presentation on: the options of the input, which counts from
    there, and with them those of the output. Reading begins where the picture has a key frame, perhaps long before:
    only what is before 0 is left out.
    """
    microseconds = int(at_seconds * 1_000_000)
    counts = {"ss": f"{(microseconds - _origin_offset(origin_seconds)) / 1_000_000:.6f}"}
    ahead = Fraction(options["output_ts_offset"]) + Fraction(microseconds, 1_000_000)
    return counts, {**options, "copypriorss": 0, "output_ts_offset": f"{float(ahead):.6f}"}


def _origin_offset(origin_seconds: float) -> int:
    """In microseconds."""
    return -round(origin_seconds * 1_000_000) or 1
