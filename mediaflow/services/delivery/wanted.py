"""What viewers wait for."""

from __future__ import annotations

from dataclasses import dataclass

from mediaflow.domain.ids import segment_id


@dataclass(frozen=True, slots=True)
class Wanted:
    """A segment, by the generation of an asset that promises it."""

    asset_id: str
    generation: int
    track: str
    number: int

    @property
    def id(self) -> str:
        """Of its record."""
        return segment_id(self.asset_id, self.generation, self.track, self.number)
