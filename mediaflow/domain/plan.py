"""What will be encoded: sizes, frame rate, segment grid and spans. Values only; the rules are in `ladder.py`."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Literal

from mediaflow.domain.profile import When

RungOutcome = Literal["smaller", "own_size", "source_is_smaller", "no_gain", "alike", "distorted", "no_picture"]
"""The first two are made: smaller than the source, or as large. `rungwords.py` says the others in sentences."""


@dataclass(frozen=True, slots=True)
class VideoRendition:
    """One rendition to encode: even `width` x `height` in square pixels, `max_bitrate_bps` a cap in bit/s.

    `audio` names the audio rendition that plays with it (None: silent). A `copied` one may be the source's own
    pictures, cut into segments and not encoded: the grid allows it.
    """

    name: str
    width: int
    height: int
    max_bitrate_bps: int
    audio: str | None
    when: When = "eager"
    copied: bool = False


@dataclass(frozen=True, slots=True)
class RungChoice:
    """What becomes of a rung of the profile's ladder, and why. `made` is the rendition's name, None for what is left
    out; `width` x `height` is what it is or would be (None without a picture), `other` the next lower rung that is
    made.

    `wished` is when the profile wants it; the `smallest` one is never on demand.
    """

    rung: str
    outcome: RungOutcome
    width: int | None = None
    height: int | None = None
    made: str | None = None
    other: str | None = None
    wished: When = "eager"
    smallest: bool = False


@dataclass(frozen=True, slots=True)
class AudioRendition:
    """One audio rendition to encode, stereo or mono AAC at `bitrate_bps`. A `copied` one may be the source's own
    packets, cut into segments and not encoded.
    """

    name: str
    bitrate_bps: int
    channels: int
    sample_rate_hz: int
    copied: bool = False


@dataclass(frozen=True, slots=True)
class SegmentGrid:
    """Where segments begin: every `segment_frames` frames of `frame_rate`, the same in every rendition; or, where they
    are not equally long, with the frames of `begins`, and then the longest has `segment_frames`.

    `frame_count` is the expected number of frames of the whole presentation (an estimate until it was encoded).
    """

    frame_rate: Fraction
    segment_frames: int
    frame_count: int
    begins: tuple[int, ...] = ()

    @property
    def segment_seconds(self) -> Fraction:
        """The exact length of a segment, or of the longest."""
        return self.segment_frames / self.frame_rate

    @property
    def segment_count(self) -> int:
        """How many segments the expected frames fill; at least one."""
        return len(self.begins) or max(1, -(-self.frame_count // self.segment_frames))

    def first_frame(self, number: int) -> int:
        """With which frame a segment begins; behind the last one, the end of the presentation or of its segment."""
        if not self.begins:
            return number * self.segment_frames
        return self.begins[number] if number < len(self.begins) else self.frame_count

    def segments_of(self, first: int, frames: int) -> int:
        """How many segments so many frames fill, from segment number `first` on."""
        if not self.begins:
            return -(-frames // self.segment_frames)
        return bisect_left(self.begins, self.first_frame(first) + frames) - first

    def frames_of(self, first: int, count: int) -> list[int]:
        """The frames of each of so many segments from number `first` on."""
        edges = [self.first_frame(number) for number in range(first, first + count + 1)]
        return [after - before for before, after in pairwise(edges)]


@dataclass(frozen=True, slots=True)
class Span:
    """A run of whole segments that one ffmpeg encodes. `segment_count` None means: to the end of the source."""

    index: int
    first_segment: int
    segment_count: int | None


@dataclass(frozen=True, slots=True)
class Part:
    """Some segments of some tracks: `count` from number `first` on of each of `tracks`. None of them (`count` 0): the
    tracks' init segments alone.
    """

    tracks: tuple[str, ...]
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Reads:
    """What of a source a task decodes: from `begin_seconds` to `end_seconds` on the clock of `MediaInfo`, and
    `lead_seconds` before them, from the key frame before that on. What programs open a file by is there in any case.

    Its segments are equally long, or begin at the seconds of `begins` on the same clock.
    """

    begin_seconds: float
    end_seconds: float
    lead_seconds: float = 0.0
    begins: tuple[float, ...] = ()

    def of_part(self, first: int, count: int, segments: int) -> Reads:
        """The share of some of so many segments; of none of them, that of the first one."""
        each = (self.end_seconds - self.begin_seconds) / max(1, segments)
        edges = self.begins or [self.begin_seconds + number * each for number in range(segments)]
        edges = [*edges, self.end_seconds]
        begin = min(first if count else 0, len(edges) - 1)
        return Reads(edges[begin], edges[min(begin + max(1, count), len(edges) - 1)], self.lead_seconds)


@dataclass(frozen=True, slots=True)
class EncodePlan:
    """The whole plan of a source under a profile. `video` is ordered from large to small and empty for audio-only
    sources.

    `grid` is None exactly when `video` is empty; `segment_seconds` then says how audio is cut. `not_copied` is why the
    source is not its own largest rendition, where the profile wishes it.
    """

    duration_seconds: float
    segment_seconds: Fraction
    video: tuple[VideoRendition, ...]
    audio: tuple[AudioRendition, ...]
    grid: SegmentGrid | None
    spans: tuple[Span, ...]
    not_copied: str | None = None
