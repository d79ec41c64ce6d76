"""Times of a source's packets, as its reader gives them: what durations, counts and frame rates are measured from."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import islice, pairwise
from operator import sub
from typing import Final

from mediaflow.domain.errors import MediaRejected
from mediaflow.domain.ladder import MIN_RATE, USUAL_RATES

MAX_PACKETS: Final = 20_000_000
"""A day of 60 frames and 100 audio packets a second has 14 million."""
JUMP_SECONDS: Final = 10.0
"""ffmpeg's own `dts_delta_threshold`: a larger step in a format of broadcasts is a splice, not a pause."""
SPLICED_FORMATS: Final = frozenset(("mpegts", "mpeg", "ogg"))
LEAP_SECONDS: Final = 3600.0
LEAP_FACTOR: Final = 100
"""What comes after a gap of an hour, and a hundred times longer than all before it, does not belong to it."""
LAST_SECONDS: Final = 10.0
"""No last frame is believed to stay longer than this: its duration comes from a header alone."""
VARIABLE_RATES: Final = tuple(map(Fraction, (5, 10, 12, 15, 20, 24, 25, 30, 50, 60)))
"""What a varying stream may have; players and screens know them."""
MISSED_SHARE: Final = 0.05
_MAX_VARIABLE_RATE: Final = 60.0
_OFF: Final = 1e-3
_FALLBACK_RATE: Final = Fraction(25)
_LEAST_RATE: Final = Fraction(1, 1001)
_BURST_SECONDS: Final = 0.5


@dataclass(slots=True)
class StreamPackets:
    """The packets of one stream that a viewer gets (those that an edit list cuts away are left out), in seconds."""

    pts: array[float] = field(default_factory=lambda: array("d"))
    dts: array[float] = field(default_factory=lambda: array("d"))
    longest: float = 0.0
    last: float = 0.0
    total: float = 0.0

    def add(self, pts: float, dts: float, seconds: float) -> None:
        """One more packet; NaN stands for a time that it does not have."""
        self.pts.append(pts)
        self.dts.append(dts)
        if 0 < seconds <= LAST_SECONDS:
            self.longest = max(self.longest, seconds)
            self.last = seconds
            self.total += seconds

    def before(self, end: float | None) -> StreamPackets:
        """Those that are shown before that time; all when it is None."""
        if end is None:
            return self
        kept = [
            (pts, dts)
            for pts, dts in zip(self.pts, self.dts, strict=True)
            if not (dts if math.isnan(pts) else pts) >= end
        ]
        pts, dts = ([pair[place] for pair in kept] for place in (0, 1))
        return replace(self, pts=array("d", pts), dts=array("d", dts), last=min(self.last, self.longest))

    @property
    def count(self) -> int:
        return len(self.pts)

    def times(self) -> list[float]:
        """When frames are shown, sorted; from decoding times where the container has no others (AVI). May be empty."""
        for times in (self.pts, self.dts):
            # NaN makes a sum NaN: mostly none is there, and a film of two hours has half a million times
            known = sorted(time for time in times if not math.isnan(time)) if math.isnan(sum(times)) else sorted(times)
            if len(known) >= 0.95 * self.count:  # else: MPEG elementary streams lack the times of their B-frames
                return known
        return []


@dataclass(slots=True)
class PacketLog:
    """All streams' packets. With `spliced`, jumps in time are closed as ffmpeg closes them when it decodes."""

    spliced: bool = False
    streams: dict[int, StreamPackets] = field(default_factory=dict)
    jumps: int = 0
    _count: int = 0
    _shift: float = 0.0
    _next: dict[int, float] = field(default_factory=dict)

    def add_line(self, line: str) -> None:
        """A line of ffprobe: `stream_index,pts_time,dts_time,duration_time,flags`, N/A for what is not known."""
        fields = line.split(",")
        if len(fields) < 5:
            return  # side data of a packet takes lines of its own
        self._count += 1
        if self._count > MAX_PACKETS:
            raise MediaRejected("The file has more packets than a day of video has.", code="media.too_large")
        index, pts, dts, seconds = int(fields[0]), _seconds(fields[1]), _seconds(fields[2]), _seconds(fields[3])
        if self.spliced and not math.isnan(dts):
            self._close_jump(index, dts, seconds)
        if "D" not in fields[4]:
            self.streams.setdefault(index, StreamPackets()).add(pts + self._shift, dts + self._shift, seconds)

    def _close_jump(self, index: int, dts: float, seconds: float) -> None:
        expected = self._next.get(index)
        if expected is not None and abs(dts + self._shift - expected) > JUMP_SECONDS:
            self._shift = expected - dts
            self.jumps += 1
        self._next[index] = dts + self._shift + (0.0 if math.isnan(seconds) else seconds)


def first_leap(streams: Iterable[StreamPackets]) -> float | None:
    """When what does not belong to the rest begins: after a gap of all streams in which nobody waits (seen: 71 frames
    of a second, and one a day later). None: there is no such gap.
    """
    shown = [times for times in (stream.times() for stream in streams) if times]
    if not shown or max(times[-1] for times in shown) - min(times[0] for times in shown) <= LEAP_SECONDS:
        return None
    # of each stream only the runs without such a gap: a film has one, and half a million packets
    runs = sorted(run for times in shown for run in _runs(times))
    begin, before = runs[0]
    for first, last in runs:
        if first - before > max(LEAP_SECONDS, LEAP_FACTOR * (before - begin)):
            return first
        before = max(before, last)
    return None


def _runs(times: list[float]) -> Iterator[tuple[float, float]]:
    """The first and last of those, sorted, that follow each other within `LEAP_SECONDS`."""
    gaps = map(sub, islice(times, 1, None), times)
    places = [place for place, gap in enumerate(gaps, 1) if gap > LEAP_SECONDS]
    for begin, end in pairwise([0, *places, len(times)]):
        yield times[begin], times[end - 1]


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.nan
    # 2**63 of a time base or an overflow of one: no time at all
    return value if abs(value) < 1e9 else math.nan


def measured_rate(times: list[float], declared: Iterable[Fraction]) -> Fraction:
    """Frames a second that show every frame of a stream, from its sorted frame times; never 0 and never absurd.

    A steady stream has the declared rate that is within 2 % of the measured one (so that 29.97 is exactly 30000/1001),
    or the measured one. A varying stream (a screen recording, slow motion) has the least of `VARIABLE_RATES` that shows
    19 of 20 frames that 60 a second would: a rate from its shortest gap would be 57600, one from the frames of a second
    (63 in 8.7 s, most of them 25 ms apart) would leave out half of what moves. What is shorter than half a second has
    at most 60, too: 30 frames with times 2 ms apart were seen in a file of one second.
    """
    candidates = [rate for rate in declared if 0 < rate <= 1000]
    # calls of C: a film has half a million (80 ms as comprehensions, 20 ms so)
    gaps = sorted(filter((0.0).__lt__, map(sub, islice(times, 1, None), times)))
    if not gaps:
        return next((rate for rate in candidates if rate in USUAL_RATES), _FALLBACK_RATE)
    median = gaps[len(gaps) // 2]
    # containers that count milliseconds show 33, 33, 34 for a steady rate
    tolerance = 0.02 * median + 0.0011
    near = gaps[bisect_left(gaps, median - tolerance) : bisect_right(gaps, median + tolerance)]
    steady = len(near) >= 0.9 * len(gaps)
    rate = len(near) / sum(near) if steady else _showing_rate(gaps)
    if times[-1] - times[0] < _BURST_SECONDS:
        rate = min(rate, _MAX_VARIABLE_RATE)
    matching = [usual for usual in candidates if abs(usual / rate - 1) <= 0.02]
    if matching:
        return min(matching, key=lambda usual: (usual not in USUAL_RATES, abs(usual - rate)))
    return max(Fraction(rate).limit_denominator(1001), _LEAST_RATE)


def _showing_rate(gaps: list[float]) -> float:
    """The least rate that shows nearly all that the greatest does; the gaps are sorted."""
    rates = [float(rate) for rate in VARIABLE_RATES]
    allowed = MISSED_SHARE * len(gaps) + _missed(gaps, rates[-1])
    return next(rate for rate in rates if _missed(gaps, rate) <= allowed)


def paced_rate(times: list[float], last_seconds: float) -> Fraction:
    """Frames a second of a GIF, whose delays are whole hundredths of a second: on such a grid each frame is shown for
    its time, where that takes no more than 50.
    """
    delays = [round(100 * gap) for gap in (*map(sub, islice(times, 1, None), times), last_seconds)]
    base = Fraction(100, math.gcd(*delays) or 10)
    return min(base * math.ceil(MIN_RATE / base), Fraction(50))


def in_hundredths(times: list[float]) -> bool:
    """Whether each frame begins at a whole hundredth of a second."""
    return all(abs(100 * time - round(100 * time)) < _OFF for time in times)


def _missed(gaps: list[float], rate: float) -> float:
    """Frames that a grid misses, to be expected: one that is followed by the next within a part of the grid's period
    falls between its points in as many cases as there is period left, wherever the grid begins.
    """
    short = gaps[: bisect_left(gaps, 1 / rate)]
    return len(short) - sum(short) * rate
