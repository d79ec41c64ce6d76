"""How far running work is, for those who follow it: a few queries, however many they are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from mediaflow.domain.records import Asset
from mediaflow.domain.states import AssetState
from mediaflow.services.assets.progress import Progress, Progresses
from mediaflow.services.ports import Database, OneOf

MOST_TASKS: Final = 500
"""So many running tasks are looked at, more than an installation has cores."""
_AT_ONCE: Final = 100
"""Ids in one condition."""


@dataclass(frozen=True, slots=True)
class HowFar:
    """An asset's state, the fraction (0.0-1.0) of its newest job, and the seconds that it will still take."""

    asset_id: str
    owner: str
    state: AssetState
    progress: float
    playable: bool
    eta_seconds: float | None = field(compare=False)
    """It is another one each time that it is computed, which alone is no news."""

    @classmethod
    def of(cls, asset: Asset, found: Progress) -> HowFar:
        """By the progress of the asset's newest job."""
        return cls(asset.id, asset.owner, asset.state, round(found.fraction, 3), asset.playable, found.eta_seconds)


@dataclass(slots=True)
class RunningWork:
    """Remembers what it has told of the assets that are worked on."""

    database: Database
    _told: dict[str, HowFar] = field(default_factory=dict)

    @property
    def told(self) -> Collection[str]:
        """The assets that were being worked on when it was last looked."""
        return self._told.keys()

    def changes(self, owners: Collection[str] | None) -> list[HowFar]:
        """What changed since the last call, of these owners' assets (None: of all), and how those stand that ended."""
        where: dict[str, Any] = {"state": "running"}
        where |= {} if owners is None else {"owner": OneOf(tuple(owners))}
        tasks = self.database.tasks.find(where, limit=MOST_TASKS)
        running = {task.asset_id for task in tasks if owners is None or task.owner in owners}
        stands = {each.asset_id: each for each in self._look(sorted(running | self._told.keys()))}
        changed = [each for each in stands.values() if self._told.get(each.asset_id) != each]
        # what runs no more has been told for the last time
        self._told = {asset_id: each for asset_id, each in stands.items() if asset_id in running}
        return changed

    def forget(self) -> None:
        """Nobody follows any more."""
        self._told.clear()

    def _look(self, ids: list[str]) -> Iterator[HowFar]:
        for some in _parts(ids):
            assets = self.database.assets.find({"id": OneOf(some)})
            found = Progresses(self.database).of(assets)
            yield from (HowFar.of(asset, found[asset.id]) for asset in assets)


def _parts(ids: list[str]) -> Iterable[tuple[str, ...]]:
    return (tuple(ids[first : first + _AT_ONCE]) for first in range(0, len(ids), _AT_ONCE))
