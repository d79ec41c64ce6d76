"""A plan as people are told of it: every rendition, what is left out, every task with its parts, and why. Values only.

`mediaflow plan` tells it of a file that nothing is made of yet, the API of an asset with what is there of it
(`planview.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mediaflow.domain.plan import Part
from mediaflow.domain.profile import When
from mediaflow.domain.states import WorkState

State = Literal["waiting", "running", "made", "failed"]


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What was measured of the file; the picture as viewers see it, in square pixels."""

    container: str
    size_bytes: int
    duration_seconds: float
    width: int | None
    height: int | None
    frame_rate: float | None
    video_codec: str | None
    audio_codec: str | None
    channels: int | None
    sample_rate_hz: int | None


@dataclass(frozen=True, slots=True)
class GridFacts:
    """Where segments begin: `segments` of them, each of so many frames and seconds (the longest, where they differ),
    `frames` in all.
    """

    frame_rate: float
    segment_frames: int
    segment_seconds: float
    segments: int
    frames: int


@dataclass(frozen=True, slots=True)
class MadeOf:
    """Segments of a track that are there, with their bytes (None: nobody keeps that any more)."""

    segments: int
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class RenditionOutlook:
    """A rendition with what is there of it. `expected_bytes` follow from the segments that are there when their sizes
    are `measured`, else from the cap. None is what is not known.
    """

    name: str
    kind: Literal["video", "audio"]
    width: int | None
    height: int | None
    frame_rate: float | None
    max_bitrate_bps: int
    when: When
    why: str | None
    segments: int | None
    segments_made: int | None
    made_bytes: int | None
    expected_bytes: int
    measured: bool


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A rung of the profile that is not made of this file."""

    rung: str
    why: str


@dataclass(frozen=True, slots=True)
class PartOutlook:
    """Segments that are made together: `count` from number `first` on."""

    first: int
    count: int
    state: State


@dataclass(frozen=True, slots=True)
class TaskOutlook:
    """A planned task. `states` counts what it is made in: its parts, or itself. Of what is made on demand, parts are
    what players wait for now. `expected_bytes` is None for what makes no tracks, or only what others make too.
    `findings` are what it found out for others.
    """

    name: str
    step: str
    when: When
    optional: bool
    load_units: int
    makes: tuple[str, ...]
    segments: int
    in_parts: bool
    why: str
    parts: tuple[PartOutlook, ...]
    states: Mapping[State, int]
    core_seconds: float
    expected_bytes: int | None
    findings: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """All of it. `left_out` and `tasks` are None for jobs that an older version planned."""

    profile: str
    source: SourceFacts
    grid: GridFacts | None
    renditions: tuple[RenditionOutlook, ...]
    left_out: tuple[LeftOut, ...] | None
    tasks: tuple[TaskOutlook, ...] | None
    made_on_demand: MadeOf


@dataclass(frozen=True, slots=True)
class Standing:
    """A task of a job, or a piece that players wait for: which planned one it makes (a part of), and how it stands."""

    planned: str
    part: Part | None
    state: WorkState
    findings: Mapping[str, Any] | None = None
