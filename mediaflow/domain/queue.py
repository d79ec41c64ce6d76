"""Whether anything is claimed at all: one document, which says it to all workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from mediaflow.domain.records import SCHEMA_VERSION

QUEUE_ID: Final = "queue"
PRIORITIES: Final = (-100, 100)
"""What a job's priority can be: tasks of a greater one are claimed first. Usual is 0."""
DEMAND_PRIORITY: Final = 101
"""Of what a viewer waits for."""
READY_PIECES: Final[Mapping[str, Any]] = MappingProxyType({"ready": True, "lane": "first", "priority": DEMAND_PRIORITY})
"""The fields of tasks that make it. They follow `state` in an index, which finds these among all that wait or run."""
OWNER_PRIORITIES: Final = (-10, 0)
"""What the owner of a job may make it: later than usual, never earlier than others' work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """While `paused`, no task is claimed by any worker; what runs is done. Its `id` is `QUEUE_ID`."""

    id: str
    paused: bool
    changed_at: float
    changed_by: str
    reason: str | None = None
    rev: int = 1
    schema: int = SCHEMA_VERSION
