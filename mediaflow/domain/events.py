"""What happened, as told to listeners (`mediaflow_on_event`) and to webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """`name` is `area.past_participle` (`upload.stored`, `asset.ready`, `task.failed`); `at` is seconds since the
    epoch, UTC.
    """

    name: str
    at: float
    owner: str
    asset_id: str | None = None
    job_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
