"""Keeps what is made on demand within a budget: of assets that nobody watches, those watched longest ago give first.

A segment is taken away in this order: its object is noted to go, its record goes (who asks now has it made again, as
another object), and after a grace for answers that are being sent the object goes. Whoever dies in between leaves what
the next sweep goes on with. What is eager is never taken, nor init segments, nor anything of an asset whose original is
gone: nothing could be made again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import structlog

from mediaflow.domain import keys
from mediaflow.domain.errors import MediaflowError
from mediaflow.domain.ids import derived_id
from mediaflow.domain.leftovers import Leftover
from mediaflow.domain.madesegments import MadeSegment
from mediaflow.domain.records import Asset
from mediaflow.plugin import Storage
from mediaflow.services.originals.places import OriginalFiles
from mediaflow.services.pipeline.rendering import longest_watch_seconds, noted_every_seconds
from mediaflow.services.ports import Below, Between, Database, Metrics

_log = structlog.get_logger(__name__)
GRACE_SECONDS: Final = 900.0
"""An answer that is being sent has so long to be read to its end."""
LOOKED_AT: Final = 200
"""So many assets are looked at in a sweep, from where the last one ended: those that may be watched still, as an hour
of video is for an hour, stand in front, and hide none behind them.
"""
BATCH: Final = 500


@dataclass(slots=True)
class Eviction:
    """Sweeps when what is made on demand takes more than `budget_bytes` (0: any number)."""

    database: Database
    storage: Storage
    files: OriginalFiles
    metrics: Metrics
    budget_bytes: int
    bucket_seconds: float
    _begin: float = 0.0
    """When those were watched last that this process looks at next."""

    def sweep(self) -> None:
        """Remove what was noted to go, then take more when the budget is exceeded."""
        self._remove_noted()
        if not self.budget_bytes:
            return
        over = self.database.segments.total("size_bytes", {"eager": False}) - self.budget_bytes
        if over <= 0:
            return
        coldest = self._coldest()
        self._begin = (coldest[-1].watched_at or 0.0) if len(coldest) == LOOKED_AT else 0.0
        for asset in coldest:
            if over <= 0:
                self._begin = 0.0
                return
            try:
                over -= self._evict(asset)
            except MediaflowError as error:
                _log.warning("nothing is evicted of it for now", asset_id=asset.id, code=error.code)

    def _coldest(self) -> list[Asset]:
        """Assets that nobody has watched of late, the coldest first."""
        watched = Between(self._begin, self.database.now() - self.bucket_seconds)
        return self.database.assets.find({"watched_at": watched}, sort=("watched_at",), limit=LOOKED_AT)

    def _evict(self, asset: Asset) -> int:
        """Take all that was made on demand of an asset, unless somebody may be watching it; the bytes of that."""
        # who began just now may go on for so long, and may be written down only then
        watched = longest_watch_seconds(self.bucket_seconds, asset.duration_seconds or 0.0)
        watched += noted_every_seconds(self.bucket_seconds)
        if (asset.watched_at or 0.0) > self.database.now() - watched or asset.original_key is None:
            return 0
        if self.files.stat(asset.original_key) is None:
            return 0
        if self.database.assets.peek(asset.id, ("watched_at",)) != {"watched_at": asset.watched_at}:
            return 0  # it was cold when it was looked up, and somebody has come
        # who begins meanwhile has made again what they ask for, and keeps it
        made_before = Below(self.database.now())
        where = {"asset_id": asset.id, "eager": False, "number": Between(0, None), "created_at": made_before}
        taken = 0
        while found := self.database.segments.find(where, limit=BATCH):
            taken += sum(self._take(made) for made in found)
        # nothing is left of it to take until somebody watches it again
        self.database.assets.change(asset.id, {"watched_at": asset.watched_at}, {"watched_at": None})
        self.metrics.count("mediaflow_evicted_bytes_total", taken)
        _log.info("evicted", asset_id=asset.id, bytes=taken)
        return taken

    def _take(self, made: MadeSegment) -> int:
        key = keys.asset_prefix(made.asset_id) + made.path
        now = self.database.now()
        noted = derived_id("evicted", key)
        self.database.leftovers.insert(Leftover(id=noted, kind="evicted", place=key, found_at=now, key=made.id))
        return made.size_bytes if self.database.segments.remove(made.id, {"rev": made.rev}) else 0

    def _remove_noted(self) -> None:
        due = {"kind": "evicted", "found_at": Below(self.database.now() - GRACE_SECONDS)}
        for noted in self.database.leftovers.find(due, sort=("found_at",), limit=BATCH):
            made = self.database.segments.get(noted.key or "")
            if made is None or keys.asset_prefix(made.asset_id) + made.path != noted.place:
                self.storage.delete(noted.place)
            self.database.leftovers.remove(noted.id)
