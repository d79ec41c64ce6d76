"""How far back is looked at what owners received, so that a claim reads no more the more is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from mediaflow.domain.states import Lane
from mediaflow.services.terms import Between

RECENT_SECONDS: Final = 600.0
"""What an owner received in this time counts: who got less goes first, and who waits so long got nothing."""
ENTRIES: Final = 5000
"""So many tasks are added up for a claim, about; SQLite does 4 million a second. Where more are begun in the time, what
counts is less long ago: of ten tasks a second the last 500 s.
"""


@dataclass(slots=True)
class Recency:
    """The time that counts, by lane. All owners of one comparison are compared over the same.

    Threads share it: whose change is lost is made again by the next.
    """

    _seconds: dict[Lane, float] = field(default_factory=dict)

    def since(self, lane: Lane, now: float) -> Between:
        """When what counts was begun."""
        return Between(now - self._seconds.get(lane, RECENT_SECONDS), None)

    def read(self, lane: Lane, entries: int) -> None:
        """Learn how many tasks were added up: the next time they are about as many as may be."""
        seconds = self._seconds.get(lane, RECENT_SECONDS)
        fits = seconds * min(2.0, ENTRIES / max(1, entries))
        self._seconds[lane] = min(RECENT_SECONDS, fits)
