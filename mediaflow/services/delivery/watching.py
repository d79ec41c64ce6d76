"""When assets were watched last: what of them is made on demand is kept by that."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from mediaflow.services.ports import Database

REMEMBERED: Final = 10_000


@dataclass(slots=True)
class Watching:
    """Keeps `Asset.watched_at` about right: an asset's is written no more often than this by a process."""

    database: Database
    every_seconds: float
    _written: OrderedDict[str, float] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, asset_id: str, now: float) -> None:
        """Somebody watches the asset now."""
        with self._lock:
            if now - self._written.get(asset_id, 0.0) < self.every_seconds:
                return
        self.database.assets.change(asset_id, {"deleted_at": None}, {"watched_at": now})
        with self._lock:
            self._written[asset_id] = now
            self._written.move_to_end(asset_id)
            if len(self._written) > REMEMBERED:
                self._written.popitem(last=False)
