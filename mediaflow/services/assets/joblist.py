"""Jobs as people look at them: for which video, how far, and what goes before those that wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mediaflow.domain.records import Asset, Job
from mediaflow.domain.states import WORK_ACTIVE, Lane
from mediaflow.services.assets.progress import Progress, Progresses
from mediaflow.services.ports import Below, Between, Database, OneOf

OWNERS: Final = 32
"""So many owners who wait are counted."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """About how many tasks go before a job's next one: of its owner, and of others.

    Owners take turns, so that of each other one as many count as of this one, and the job's own.
    """

    own: int
    others: int


@dataclass(frozen=True, slots=True)
class JobStanding:
    """What a job's document does not say. `waiting` is None unless it waits for a worker.

    `is_newest`: the asset is there, and no later job came: what failed can be repeated.
    """

    title: str | None = None
    is_newest: bool = False
    progress: Progress | None = None
    waiting: Waiting | None = None


@dataclass(frozen=True, slots=True)
class JobList:
    """Looks at the jobs of a page together: few queries, by indexes, however much waits."""

    database: Database

    def standings(self, jobs: Sequence[Job]) -> dict[str, JobStanding]:
        """How these jobs stand, by their ids."""
        assets = self._assets(sorted({job.asset_id for job in jobs}))
        active = {job.asset_id for job in jobs if job.state in WORK_ACTIVE}
        progress = Progresses(self.database).of([asset for asset in assets.values() if asset.id in active])
        queue = _Queue(self.database)

        def standing(job: Job) -> JobStanding:
            asset = assets.get(job.asset_id)
            if asset is None:
                return JobStanding()
            newest = asset.job_id == job.id and asset.deleted_at is None
            if job.state not in WORK_ACTIVE:
                return JobStanding(asset.title, newest)
            return JobStanding(asset.title, newest, progress[asset.id] if newest else None, queue.waiting(job.id))

        return {job.id: standing(job) for job in jobs}

    def _assets(self, ids: list[str]) -> dict[str, Asset]:
        return {asset.id: asset for asset in self.database.assets.find({"id": OneOf(tuple(ids))})} if ids else {}


@dataclass(slots=True)
class _Queue:
    """What waits, counted once a lane."""

    database: Database
    _by_lane: dict[Lane, dict[str, int]] = field(default_factory=dict)

    def waiting(self, job: str) -> Waiting | None:
        """What goes before the first of a job's tasks; None while one of them runs."""
        if self.database.tasks.count({"job_id": job, "state": "running"}):
            return None
        ready = {"job_id": job, "state": "pending", "ready": True}
        found = self.database.tasks.find(ready, sort=("-priority", "turn"), limit=1)
        if not found:
            return Waiting(0, 0)
        first = found[0]
        mine = _waits(first.lane) | {"owner": first.owner}
        count = self.database.tasks.count
        own = count(mine | {"priority": Between(first.priority + 1)})
        own += count(mine | {"priority": first.priority, "turn": Below(first.turn)})
        others = (number for owner, number in self._owners(first.lane).items() if owner != first.owner)
        return Waiting(own, sum(min(number, own + 1) for number in others))

    def _owners(self, lane: Lane) -> dict[str, int]:
        if lane not in self._by_lane:
            owners = self.database.tasks.distinct("owner", _waits(lane))[:OWNERS]
            counts = {owner: self.database.tasks.count(_waits(lane) | {"owner": owner}) for owner in owners}
            self._by_lane[lane] = counts
        return self._by_lane[lane]


def _waits(lane: Lane) -> dict[str, Any]:
    return {"state": "pending", "ready": True, "lane": lane}
