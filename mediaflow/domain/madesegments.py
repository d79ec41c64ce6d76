"""Segments of generations that are being made, as records."""

from __future__ import annotations

from dataclasses import dataclass

from mediaflow.domain.records import SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeSegment:
    """A segment of a generation that is being made, or was of late: the first that was made whole of that track and
    number (-1: the init segment), whoever made it. It never changes. `path` is where it lies below the asset's prefix.

    `id` is derived from asset, generation, track and number. An eager one goes with the last viewer who began before
    the generation was published; what is published tells its segments itself. Of what is made on demand nothing else
    tells: its records stay with the generation.
    """

    id: str
    asset_id: str
    generation: int
    track: str
    number: int
    path: str
    content_type: str
    size_bytes: int
    duration_seconds: float
    created_at: float
    eager: bool = True
    rev: int = 1
    schema: int = SCHEMA_VERSION
