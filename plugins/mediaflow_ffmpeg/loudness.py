"""How loud a sound is, and what makes it as loud as wished: one gain for all of it, and a limiter where that clips.

Loudness is that of ITU-R BS.1770-4 (EBU R 128), of the sound as it is encoded: after the down-mix. It is measured once,
over the whole; whatever is encoded afterwards gets the same gain.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from mediaflow_ffmpeg.jobs import NO_GAIN, Gain

MOST_GAIN_DB: Final = 20.0
"""What would need more is noise, which nobody wants to hear at the loudness of speech."""
PEAK_DBTP: Final = -2.0
"""The highest true peak before encoding: AAC adds up to a dB, and -1 is the most that EBU R 128 s2 allows players."""
SILENT_LUFS: Final = -70.0
"""The absolute gate of BS.1770: what is not louder than that has no loudness."""
_SUMMARY: Final = re.compile(
    # a line of the filter's own: ffmpeg prints titles, too, which are text of strangers
    r"^\[Parsed_ebur128_\d+ @ \w+\] Summary:$"
    r".*?\bI:\s+(-?[\d.]+|-?inf|nan) LUFS.*?\bPeak:\s+(-?[\d.]+|-?inf|nan) dBFS",
    re.DOTALL | re.MULTILINE,
)
_NEAR_LU: Final = 0.3


@dataclass(frozen=True, slots=True)
class Measured:
    """The loudness (LUFS) and the true peak (dBTP) of a whole sound; -inf for silence."""

    lufs: float
    peak_dbtp: float


def read_summary(stderr: str) -> Measured | None:
    """What ffmpeg's `ebur128=peak=true` says in the end; None when it says nothing, or says it of several parts.

    A graph that is made anew before anything came through it has no peak, as silence has none.
    """
    found = [Measured(_number(lufs), _number(peak)) for lufs, peak in _SUMMARY.findall(stderr)]
    heard = [each for each in found if math.isfinite(each.peak_dbtp)]
    if found and not heard:
        return Measured(-math.inf, -math.inf)
    return heard[0] if len(heard) == 1 else None


def _number(text: str) -> float:
    number = float(text)
    return -math.inf if math.isnan(number) else number


def gain_for(measured: Measured, target_lufs: float) -> Gain:
    """The gain to that loudness. Silence stays as it is."""
    if measured.lufs <= SILENT_LUFS:
        return NO_GAIN
    return _limited_if_needed(measured, min(MOST_GAIN_DB, target_lufs - measured.lufs))


def _limited_if_needed(measured: Measured, db: float) -> Gain:
    return Gain(round(db, 2), limited=measured.peak_dbtp + db > PEAK_DBTP)


def settled(measured: Measured, target_lufs: float, measure: Callable[[Gain], Measured | None]) -> Gain:
    """The gain whose outcome has that loudness: what a limiter takes away is added once more."""
    gain = gain_for(measured, target_lufs)
    if not gain.limited or gain.db >= MOST_GAIN_DB:
        return gain
    after = measure(gain)
    if after is None or abs(target_lufs - after.lufs) <= _NEAR_LU:
        return gain
    return replace(gain, db=round(min(MOST_GAIN_DB, gain.db + target_lufs - after.lufs), 2))
