"""What users have: assets and the jobs that made them. Every look and every change is for one principal.

What is not the principal's is not there (NotFound); an admin sees everybody's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from mediaflow.domain.errors import Conflict, NotFound, PreconditionFailed
from mediaflow.domain.records import Asset, Job, Task
from mediaflow.domain.states import WORK_ENDED, AssetState, Visibility, WorkState
from mediaflow.services.access import Principal
from mediaflow.services.jobs import progress_of
from mediaflow.services.ports import Contains, Database, Increment

T = TypeVar("T")
R = TypeVar("R", Asset, Job)

ASSET_SORTS: Final = ("created_at", "updated_at", "title", "size_bytes", "state")
"""Fields that listings can be sorted by, each also with `-` in front."""
MAX_SEARCHED: Final = 10_000
"""A text search looks through this many newest assets at most, in memory."""
CHANGE_TRIES: Final = 5
ETA_FROM_PROGRESS: Final = 0.03
"""With less progress than this, what remains can't be told from what passed."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page (1-based) of a listing, and how many there are in all."""

    items: list[T]
    page: int
    page_size: int
    total: int

    @property
    def pages(self) -> int:
        """How many pages there are; 0 when there is nothing."""
        return -(-self.total // self.page_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetQuery:
    """Which assets. `q` is looked for in title, description and tags, in any case; `deleted` lists those instead."""

    page: int = 1
    page_size: int = 20
    q: str | None = None
    tag: str | None = None
    state: AssetState | None = None
    visibility: Visibility | None = None
    sort: str = "-created_at"
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery:
    """Which jobs, newest first."""

    page: int = 1
    page_size: int = 20
    state: WorkState | None = None
    asset_id: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the newest job of an asset is, 0.0-1.0, and the seconds that it will still take (None: not known)."""

    fraction: float
    eta_seconds: float | None


@dataclass(frozen=True, slots=True)
class Library:
    """Assets and jobs, as their owners see them."""

    database: Database

    # --- assets

    def assets(self, principal: Principal, query: AssetQuery) -> Page[Asset]:
        """The principal's assets (an admin's: all)."""
        where = _scope(principal)
        if not query.deleted:
            where["deleted_at"] = None
        for name in ("state", "visibility"):
            if (value := getattr(query, name)) is not None:
                where[name] = value
        if query.tag is not None:
            where["tags"] = Contains(query.tag)
        if query.q or query.deleted:
            return self._searched(where, query)
        skip = (query.page - 1) * query.page_size
        items = self.database.assets.find(where, sort=(query.sort, "id"), skip=skip, limit=query.page_size)
        return Page(items, query.page, query.page_size, self.database.assets.count(where))

    def _searched(self, where: dict[str, Any], query: AssetQuery) -> Page[Asset]:
        found = self.database.assets.find(where, sort=(query.sort, "id"), limit=MAX_SEARCHED)
        words = (query.q or "").casefold().split()
        matching = [asset for asset in found if (asset.deleted_at is not None) == query.deleted and _has(asset, words)]
        skip = (query.page - 1) * query.page_size
        return Page(matching[skip : skip + query.page_size], query.page, query.page_size, len(matching))

    def asset(self, principal: Principal, asset_id: str) -> Asset:
        """One asset; NotFound when it is deleted or not the principal's."""
        asset = self._visible(principal, asset_id)
        if asset.deleted_at is not None:
            raise _no_asset()
        return asset

    def progress(self, asset: Asset) -> Progress:
        """How far the asset's newest job is."""
        if asset.job_id is None or asset.state != "processing":
            return Progress(progress_of(asset, []), None)
        tasks = self._tasks(asset.job_id)
        fraction = progress_of(asset, tasks)
        return Progress(fraction, _eta(tasks, fraction, self.database.now()))

    def change(
        self,
        principal: Principal,
        asset_id: str,
        changes: Mapping[str, Any],
        *,
        revisions: frozenset[int] | None = None,
    ) -> Asset:
        """Set title, description, tags or visibility. A change of visibility ends all stream tokens.

        With `revisions`, only when the metadata is at one of them; PreconditionFailed else.
        """
        for _ in range(CHANGE_TRIES):
            asset = self.asset(principal, asset_id)
            if revisions is not None and asset.metadata_rev not in revisions:
                raise PreconditionFailed(
                    "The asset was changed in the meantime; get it again and repeat your change on that.",
                    code="asset.changed",
                )
            effective = {name: value for name, value in changes.items() if getattr(asset, name) != value}
            if not effective:
                return asset
            if "visibility" in effective:
                effective["acl_epoch"] = Increment()
            expect = {"metadata_rev": asset.metadata_rev, "deleted_at": None}
            effective |= {"metadata_rev": Increment(), "updated_at": self.database.now()}
            changed = self.database.assets.change(asset_id, expect, effective)
            if changed is not None:
                return changed
        raise Conflict("Others keep changing this asset; try again.", code="asset.busy")

    def delete(self, principal: Principal, asset_id: str) -> None:
        """Delete softly: nothing of it is read or streamed any more, and it can be restored. Repeating does no harm."""
        self._visible(principal, asset_id)
        now = self.database.now()
        changes = {"deleted_at": now, "updated_at": now, "acl_epoch": Increment()}
        self.database.assets.change(asset_id, {"deleted_at": None}, changes)

    def restore(self, principal: Principal, asset_id: str) -> Asset:
        """Take a soft delete back. Repeating does no harm."""
        asset = self._visible(principal, asset_id)
        if asset.deleted_at is None:
            return asset
        changes = {"deleted_at": None, "updated_at": self.database.now(), "acl_epoch": Increment()}
        restored = self.database.assets.change(asset_id, {"deleted_at": asset.deleted_at}, changes)
        return restored or self.asset(principal, asset_id)

    def _visible(self, principal: Principal, asset_id: str) -> Asset:
        asset = self.database.assets.get(asset_id)
        if asset is None or not (principal.is_admin or asset.owner == principal.user):
            raise _no_asset()
        return asset

    # --- jobs

    def jobs(self, principal: Principal, query: JobQuery) -> Page[Job]:
        """The principal's jobs (an admin's: all), newest first."""
        where = _scope(principal)
        for name in ("state", "asset_id"):
            if (value := getattr(query, name)) is not None:
                where[name] = value
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
        return self.database.tasks.find({"job_id": job_id}, sort=("created_at", "id"))


def _scope(principal: Principal) -> dict[str, Any]:
    return {} if principal.is_admin else {"owner": principal.user}


def _has(asset: Asset, words: list[str]) -> bool:
    text = "\n".join((asset.title, asset.description, *asset.tags)).casefold()
    return all(word in text for word in words)


def _no_asset() -> NotFound:
    return NotFound("There is no such asset.", code="asset.not_found")


def _eta(tasks: list[Task], fraction: float, now: float) -> float | None:
    """What remains at the speed so far, counted from the first step's start; None before that says anything."""
    starts = [task.started_at for task in tasks if task.stage == "step" and task.started_at is not None]
    running = any(task.state not in WORK_ENDED for task in tasks)
    if not starts or not running or fraction < ETA_FROM_PROGRESS:
        return None
    return round(max(0.0, now - min(starts)) * (1.0 - fraction) / fraction, 1)
