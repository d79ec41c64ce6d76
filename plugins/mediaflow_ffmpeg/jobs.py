"""What a planned task carries from `plan` to `run`, as JSON in between."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from mediaflow.plugin import AudioRendition, SegmentGrid, SoundPackets, Span, VideoRendition

INIT_NAME = "init.mp4"
FRAME_SAMPLES = 1024
"""Samples of an AAC frame; the encoder's own delay is one frame, before the presentation's start."""
BUFFER_SECONDS = 2
"""Of the cap: enough for a key frame, short enough for a player's buffer."""
SLACK_SECONDS = 2.0
"""How much longer than measured an output may become before it is cut off."""

INIT_FRAMES = 4
"""Enough for the encoder to tell how late it is: from one frame alone the init segment is another one."""
_ALL_CORES_SEGMENTS = 16
"""Longer parts are encoded by one thread: 2-4 % less CPU time (16 segments of 1080p, of 360p), and nobody waits."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """Settings of the encoder `family`, as ffmpeg calls it; without `crf`, its own measure of quality, each size has
    its own. `keyframe_seconds` is the wished distance of key frames. A `hasty` one is as quick as it can be without
    another init segment.
    """

    preset: str = "veryfast"
    crf: float | None = None
    tune: str | None = None
    profile: str = "high"
    keyframe_seconds: float = 2.0
    hasty: bool = False
    family: str = "libx264"


@dataclass(frozen=True, slots=True)
class VideoJob:
    """One span in every rendition. `origin_seconds` is where the presentation begins on the container's clock;
    `expected_frames` is how many the span's source should give.

    With `exact`, just so many come out, and each segment is told of when it is whole: the last frame stands for one or
    two that are missing (of 47 files, 2 had one less than their packets promised), with `padded` for all of them. What
    opens a presentation, and what makes a part of it, foretells all its frames (`total_frames`). A span of no segments
    makes the init segments alone. With `sought`, decoding begins shortly before the span, else with the source. With
    `awaited`, somebody waits for the span's first segment. `crfs` are what the content decided, by rendition. With
    `copied`, the one rendition is the source's own pictures. Segments that are not equally long are whole groups of the
    source's pictures of about `group_seconds`: where they begin is not written into each task. What is made
    `beside_copy` tells of damage that its decoder finds.
    """

    renditions: tuple[VideoRendition, ...]
    grid: SegmentGrid
    span: Span
    encoder: Encoder
    origin_seconds: float
    expected_frames: int
    exact: bool = False
    padded: bool = False
    total_frames: int | None = None
    sought: bool = False
    source_pixels: int = 0
    awaited: bool = False
    crfs: Mapping[str, float] = field(default_factory=dict)
    copied: bool = False
    group_seconds: float | None = None
    beside_copy: bool = False

    @property
    def expected_seconds(self) -> float:
        """How long the expected frames last."""
        return float(self.expected_frames / self.grid.frame_rate)

    @property
    def first_frame(self) -> int:
        """The span's, counted from the presentation's first."""
        return self.grid.first_frame(self.span.first_segment)

    @property
    def segment_count(self) -> int:
        """The segments of the expected frames."""
        return self.grid.segments_of(self.span.first_segment, self.expected_frames)

    @property
    def by_one_thread(self) -> bool:
        """True for a few frames, where starting threads is most of the work, and for long parts, of which several run
        side by side, as many as cores. A short one is waited for.
        """
        foretold = self.total_frames is not None
        return self.expected_frames <= INIT_FRAMES or (foretold and self.segment_count > _ALL_CORES_SEGMENTS)

    @property
    def judges(self) -> bool:
        """True when too many errors in what is decoded are too many in the whole: those in a part may be all there are,
        and count when all before its end is decoded.
        """
        if not self.exact or self.total_frames is None:
            return True
        return not self.sought and self.first_frame + self.expected_frames == self.total_frames

    @property
    def runs(self) -> tuple[VideoJob, ...]:
        """What is encoded one after the other: a segment that somebody waits for by itself, since ffmpeg writes one
        only when it has encoded some of the next (measured at 1080p: 3.4 s to the first of several, 3.1 s to one that
        is made alone, 2.1 s in haste).
        """
        if not self.awaited or self.copied:
            return (self,)
        (whole,) = self.grid.frames_of(self.span.first_segment, 1)
        frames = min(whole, self.expected_frames)
        hasty = replace(self.encoder, hasty=True)
        first = replace(self, span=Span(0, self.span.first_segment, 1), expected_frames=frames, encoder=hasty)
        if frames == self.expected_frames:
            return (first,)
        rest = Span(0, self.span.first_segment + 1, self.segment_count - 1)
        return (first, replace(self, span=rest, expected_frames=self.expected_frames - frames))

    @property
    def gop_frames(self) -> int:
        """Frames between key frames: a segment is a whole number of such groups, its last perhaps a little shorter (of
        segments that are not equally long, the last of each).
        """
        if self.grid.begins:
            return math.ceil(self.encoder.keyframe_seconds * self.grid.frame_rate)
        wished = max(1.0, float(self.grid.segment_seconds) / self.encoder.keyframe_seconds)
        return math.ceil(self.grid.segment_frames / max(1, round(wished)))

    @property
    def brief(self) -> bool:
        """True when all there is lasts less than a second, so that each frame counts."""
        return self.span.first_segment == 0 and self.expected_frames < self.grid.frame_rate

    @property
    def frame_limit(self) -> int:
        """Frames after which the span is cut: its end, or for the last span a little more than expected."""
        if self.brief or self.exact:
            return self.expected_frames
        if self.span.segment_count is not None:
            return sum(self.grid.frames_of(self.span.first_segment, self.span.segment_count))
        return self.expected_frames + math.ceil(SLACK_SECONDS * self.grid.frame_rate)


@dataclass(frozen=True, slots=True)
class Gain:
    """What each sample is multiplied by, in dB, and whether a limiter follows."""

    db: float
    limited: bool


NO_GAIN = Gain(0.0, limited=False)


@dataclass(frozen=True, slots=True)
class AudioJob:
    """The whole audio in every rendition. `expected_seconds` is what the source should give, from the origin on.

    Another language than the main one says which stream it is and which groups its renditions are choices of (in the
    same order), and is made as long as the presentation: players stop where the sound ends.

    With `exact_samples`, just so many are in the whole, with silence where some are missing (`padded`), and each
    segment is told of when it is whole. Of its segments `count` are made from number `first` on. What opens a
    presentation, and what makes a part of it, `tells` of all of them. With `sought`, decoding begins shortly before the
    part. `by_count` tells the time by counting samples.

    Of what is copied, the one rendition is the source's `own` packets.

    `loudness_lufs` is what all of it is to be as loud as, by a `gain` that a task of its own `measures`.
    """

    renditions: tuple[AudioRendition, ...]
    segment_seconds: Fraction
    origin_seconds: float
    expected_seconds: float
    language: str | None
    stream_index: int | None = None
    groups: tuple[str, ...] = ()
    exact_samples: int | None = None
    padded: bool = False
    first: int = 0
    count: int = 0
    tells: bool = False
    sought: bool = False
    by_count: bool = False
    loudness_lufs: float | None = None
    measures: bool = False
    gain: Gain = NO_GAIN
    own: SoundPackets | None = None

    @property
    def copied(self) -> bool:
        """True when nothing is encoded."""
        return self.own is not None

    @property
    def priming_samples(self) -> int:
        """So much of the first packets comes before the presentation's start."""
        return FRAME_SAMPLES if self.own is None else self.own.priming_samples

    @property
    def rate_hz(self) -> int:
        """Of all its renditions."""
        return self.renditions[0].sample_rate_hz

    @property
    def pad_seconds(self) -> float | None:
        """How long the output is made with silence; None: as long as the source is."""
        return self.expected_seconds if self.stream_index is not None else None

    @property
    def limit_seconds(self) -> float:
        """Seconds after which the output is cut, where its samples are not counted."""
        return self.expected_seconds + SLACK_SECONDS
