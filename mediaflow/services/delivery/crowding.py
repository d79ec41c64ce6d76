"""Whether more is waited for than can be made: who begins to watch then is offered what is made in any case."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mediaflow.domain.queue import DEMAND_PRIORITY
from mediaflow.services.ports import Below, Database

CROWDED_SECONDS: Final = 3.0
"""A piece that waited so long for a worker comes too late for who waits for it."""
LOOK_SECONDS: Final = 1.0


@dataclass(slots=True)
class Crowding:
    """Looks at most once a second, with one query by an index."""

    database: Database
    elapsed: Callable[[], float] = time.monotonic
    _looked_at: float = float("-inf")
    _crowded: bool = False

    def is_crowded(self) -> bool:
        """True when a piece that somebody waits for was not begun in time."""
        now = self.elapsed()
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at, began = now, self.database.now() - CROWDED_SECONDS
            waiting = {"state": "pending", "ready": True, "lane": "first", "priority": DEMAND_PRIORITY}
            self._crowded = self.database.tasks.count({**waiting, "created_at": Below(began)}) > 0
        return self._crowded
