"""The documents of periodic work. See `records.py`."""

from __future__ import annotations

from dataclasses import dataclass

from mediaflow.domain.records import SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """When a plugin's periodic work is to be done next. `id` is its name.

    Whoever moves `due_at` on (by compare-and-set) does the work: as far as it takes at most, and back to the next turn
    when it has ended. So a turn that nobody ends comes again.
    """

    id: str
    due_at: float
    worker: str | None = None
    began_at: float | None = None
    rev: int = 1
    schema: int = SCHEMA_VERSION
