"""A profile: what an asset is turned into. Parsed and checked once at start, then frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mediaflow.domain.downloads import DownloadFormat

When = Literal["eager", "on_demand"]
"""A rendition is made before anybody asks for it, or a piece at a time when somebody watches it."""


OriginalPolicy = Literal["keep", "archive", "delete"]
"""What becomes of the file itself when everything is made of it; `archive` is the second storage."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One rung of the ladder. `height` is the short side of a 16:9 box (either way up) that the picture is fitted into.

    The bitrates are caps in bit/s: rate control is capped constant quality. What is `on_demand` is made where it is
    watched; the smallest rendition of a source is always made.
    """

    name: str
    height: int
    video_bitrate_bps: int
    audio_bitrate_bps: int
    when: When = "eager"


@dataclass(frozen=True, slots=True)
class StepSpec:
    """A step named by a profile, with its parameters as written there (checked by the step's `check`)."""

    step: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Profile:
    """`segment_seconds` is the wished segment length; the planner rounds it to whole frames and GOPs.

    `manifests` are names of manifest formats; viewers can keep each rendition as a file of the forms in `downloads`.
    `original` is what becomes of the file itself when everything is made of it.
    With `copies`, a source that fits its largest rendition is that one as it is (`domain/copying.py`).
    For messages: `source` is the file that the profile came from, `lines` tells where in it a member is
    (`steps[0].params.crf` -> 12).
    """

    name: str
    description: str
    segment_seconds: float
    frame_rate_max: int
    ladder: tuple[Rung, ...]
    steps: tuple[StepSpec, ...]
    manifests: tuple[str, ...]
    downloads: tuple[DownloadFormat, ...] = ()
    copies: bool = False
    original: OriginalPolicy = "keep"
    source: str = ""
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)
