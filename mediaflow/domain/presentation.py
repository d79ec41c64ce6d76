"""What was encoded, and what manifests are written from. All times are in presentation seconds from 0."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

TrackKind = Literal["video", "audio"]
ArtifactRole = Literal[
    "init", "segment", "thumbnail", "image", "storyboard", "preview", "captions", "download", "file", "findings"
]

MEDIA_OFFSET_SECONDS = 1
"""Timestamps inside segments run this far ahead of the presentation, so that the first DTS is never negative
(measured).
"""


@dataclass(frozen=True, slots=True)
class Track:
    """An encoded track. `codecs` is its RFC 6381 string (`avc1.640028`, `mp4a.40.2`), read from the init segment.

    Video has `width`, `height` and `frame_rate`; audio has `channels`, `sample_rate_hz` and `language` (BCP 47).
    `label` is what a menu calls the track (None: nothing better than its language is known).

    Audio that a viewer chooses between is a group: the same sound in several languages, at one bit rate.
    `audio_group` of a video track names the group that plays with it (None: silent), of an audio track the group that
    it is one choice of. An audio track without one is in the group of its own name, and that group's default.
    """

    name: str
    kind: TrackKind
    codecs: str
    timescale: int
    width: int | None = None
    height: int | None = None
    frame_rate: Fraction | None = None
    channels: int | None = None
    sample_rate_hz: int | None = None
    language: str | None = None
    audio_group: str | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Foretold:
    """What a track will be, told before it is made: `runs` of segments of one length each, in order, as `(count,
    seconds)`. No run of segments will have more bits a second than `peak_bps` (RFC 8216, 4.1), nor all of them together
    more than `average_bps`.

    `cost` is what a second of it is expected to take by itself, in seconds of one core (0: next to nothing). What a
    machine does not make faster than it is watched is not offered while the rest is being made.
    """

    runs: tuple[tuple[int, float], ...]
    peak_bps: int
    average_bps: int
    cost: float = 0.0

    @property
    def segment_count(self) -> int:
        return sum(count for count, _ in self.runs)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that a step made. `path` is relative to the step's output directory, with `/` and no `..`.

    `track` and `number` (0-based) place a segment; `duration_seconds` is measured. An `init` artifact carries
    `describes`, and `foretells` where its task opens the presentation (`PlannedTask.rank`). `findings` are a JSON
    object of at most 4096 bytes that later tasks are told (`StepTask.findings`). Every other role is an output of its
    own once the asset is published, called by its `path`: the asset's picture (`thumbnail`), any other `image`,
    `storyboard`, `preview`, `captions`, a `download` that is offered to viewers, or any other `file`. `title` is what
    people read of it. It is sent with its `content_type`, a media type (RFC 9110, 8.3.1), as it is said here.

    `captions` that say their `language` (BCP 47, or ISO 639-2 as files have it; `und`: unknown) are a WebVTT or SubRip
    file of at most 512 KiB and become captions of the asset, as if its owner had uploaded them: in every manifest,
    under `title` as their label, shown unasked when they are the `default`.
    """

    path: str
    role: ArtifactRole
    content_type: str
    size_bytes: int
    track: str | None = None
    number: int | None = None
    duration_seconds: float | None = None
    describes: Track | None = None
    foretells: Foretold | None = None
    width: int | None = None
    height: int | None = None
    title: str | None = None
    language: str | None = None
    default: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """A verified media segment; `uri` is relative to the presentation's root."""

    uri: str
    duration_seconds: float
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Rendition:
    """A track with its init segment and its media segments in order.

    With `foretold` its segments are made while they are watched: their sizes are not known (0), their bit rates are
    what it tells.
    """

    track: Track
    init_uri: str
    segments: tuple[Segment, ...]
    foretold: Foretold | None = None

    @property
    def duration_seconds(self) -> float:
        return sum(segment.duration_seconds for segment in self.segments)

    @property
    def size_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self.segments)


@dataclass(frozen=True, slots=True)
class TextTrack:
    """Captions in one language (BCP 47): WebVTT segments in order, each a whole file.

    Languages and labels are distinct within a presentation; at most one track is the `default`, which players show
    unasked. Times in the segments count from the presentation's start; an `X-TIMESTAMP-MAP` (RFC 8216, 3.5) in each
    ties them to the timestamps of the media.
    """

    language: str
    label: str
    segments: tuple[Segment, ...]
    default: bool = False


@dataclass(frozen=True, slots=True)
class Presentation:
    """Everything a manifest needs. `video` is ordered from the largest rendition to the smallest.

    A format that has no way to tell of `text` leaves it out.
    """

    duration_seconds: float
    video: tuple[Rendition, ...]
    audio: tuple[Rendition, ...]
    media_offset_seconds: int = MEDIA_OFFSET_SECONDS
    text: tuple[TextTrack, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """A rendered text file, relative to the presentation's root. The `entry` manifest is what players open."""

    path: str
    content_type: str
    body: str
    entry: bool = False
