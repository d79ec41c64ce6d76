"""What invariants remember of those who watch."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Observed:
    """Grows as a history goes on."""

    attempts: set[str] = field(default_factory=set)
    """Paths of all attempts that were ever begun."""
    too_late: dict[str, int] = field(default_factory=dict)
    """Epochs of assets that were deleted when a job of demand of theirs was made, by the job's id."""
    asking: int = 0
    """So many processes are looking after a wish at this moment."""
    most_asking: int = 0
    sent: dict[str, str] = field(default_factory=dict)
    """Where segments lay that were sent, by their records' ids."""
    watched: dict[str, float] = field(default_factory=dict)
    """When something of an asset was asked for last, and was there or was promised."""
    found_cold: dict[str, float] = field(default_factory=dict)
    """When somebody began to watch an asset that nobody had watched for longer than a token lasts."""
