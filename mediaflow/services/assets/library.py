"""What users have: assets and the jobs that made them. Every look is for one principal.

What is not the principal's is not there (NotFound); an admin sees everybody's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from mediaflow.domain.errors import NotFound
from mediaflow.domain.records import Asset, Job, Task
from mediaflow.domain.states import STAGES, WORK_ACTIVE, JobKind, WorkState
from mediaflow.plugin import Part
from mediaflow.plugin.wire import load
from mediaflow.services.access.permissions import scope, visible
from mediaflow.services.access.principals import Principal
from mediaflow.services.assets.asset_cache import AssetReader
from mediaflow.services.assets.progress import Progress, Progresses
from mediaflow.services.paging import Page
from mediaflow.services.ports import Database, OneOf

LISTED: Final[tuple[JobKind, ...]] = ("process", "poster", "original")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery:
    """Which jobs, newest first; `active` are those that are pending or running."""

    page: int = 1
    page_size: int = 20
    state: WorkState | Literal["active"] | None = None
    asset_id: str | None = None


@dataclass(frozen=True, slots=True)
class Library:
    """Assets and jobs, as their owners see them."""

    database: Database
    assets: AssetReader | None = None

    # --- assets

    def asset(self, principal: Principal | None, asset_id: str) -> Asset:
        """One asset that the principal (None: anybody) may know of, if only its public view; else see `visible`."""
        reader = self.assets or AssetReader(self.database)
        return reader.read(asset_id, partial(visible, principal))

    def made(self, asset: Asset) -> dict[str, int]:
        """How many segments there are of each rendition that is made while it is watched."""
        if (shown := asset.shown) is None:
            return {}
        where = {"asset_id": asset.id, "generation": shown.generation}
        names = [str(rendition["name"]) for rendition in shown.renditions if rendition["name"] in shown.awaited]
        # the init segment has a record as well
        return {name: max(0, self.database.segments.count({**where, "track": name}) - 1) for name in names}

    def progress(self, asset: Asset) -> Progress:
        """How far the asset's newest job is."""
        return Progresses(self.database).of([asset])[asset.id]

    # --- jobs

    def jobs(self, principal: Principal, query: JobQuery) -> Page[Job]:
        """The principal's jobs (an admin's: all), newest first, without the pieces that players wait for."""
        where: dict[str, Any] = {**scope(principal), "kind": OneOf(LISTED)}
        if query.asset_id is not None:
            where["asset_id"] = query.asset_id
        if query.state is not None:
            where["state"] = OneOf(WORK_ACTIVE) if query.state == "active" else query.state
        skip = (query.page - 1) * query.page_size
        items = self.database.jobs.find(where, sort=("-created_at", "id"), skip=skip, limit=query.page_size)
        return Page(items, query.page, query.page_size, self.database.jobs.count(where))

    def job(self, principal: Principal, job_id: str) -> tuple[Job, list[Task]]:
        """One job with its tasks, oldest first."""
        job = self.database.jobs.get(job_id)
        if job is None or not (principal.is_admin or job.owner == principal.user):
            raise NotFound("There is no such job.", code="job.not_found")
        return job, self._tasks(job_id)

    def _tasks(self, job_id: str) -> list[Task]:
        found = self.database.tasks.find({"job_id": job_id}, sort=("created_at", "id"))
        # those of one millisecond in the order of their stages, and parts in that of the film
        return sorted(found, key=_place)


def _place(task: Task) -> tuple[float, int, str, int]:
    first = 0 if task.part is None else load(Part, task.part).first
    return task.created_at, STAGES.index(task.stage), task.whole or "", first
