"""Which job an asset belongs to while it is processed. The asset's document decides, in one compare-and-set a move.

A job holds its asset while the asset names it, is `processing` and not deleted; only such a job publishes. So whatever
takes the state away (a delete, a cancel) ends the job's right to publish in that very moment, before any of its tasks
learns of it. A job that was made and does not hold its asset yet takes it when it is free.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from mediaflow.domain.events import Event
from mediaflow.domain.records import Asset, Job
from mediaflow.domain.states import WORK_ENDED, AssetState
from mediaflow.services.ports import Below, Database, OneOf, Outbox

Standing = Literal["held", "waiting", "lost"]
FREE: Final[tuple[AssetState, ...]] = ("stored", "ready", "failed", "rejected")
LEFTOVERS_SECONDS: Final = 120.0
"""So long after a job's end its files go: four leases, its last child is dead by then."""


@dataclass(frozen=True, slots=True)
class Tenure:
    """Taking assets for jobs, and giving them back."""

    database: Database
    outbox: Outbox

    def standing(self, job: Job) -> Standing:
        """Whether the job may work on its asset, which it takes when it can.

        `waiting`: not now, later perhaps (a deleted asset can be restored). `lost`: never again.
        """
        fields = ("job_id", "next_generation", "generation", "state", "deleted_at")
        asset = self.database.assets.peek(job.asset_id, fields)
        if asset is None:
            return "lost"
        if job.kind == "demand":
            # while it is made, or watched; who watches an earlier generation goes on with it until its files go
            shown = asset["generation"] >= job.generation or _makes(asset, job)
            return "held" if shown and asset["deleted_at"] is None else "lost"
        if job.kind == "original":
            return "held" if asset["deleted_at"] is None else "lost"
        if job.kind == "poster":
            is_shown = asset["generation"] == job.generation and asset["deleted_at"] is None
            return "held" if is_shown else "lost"
        if asset["job_id"] != job.id:
            if asset["next_generation"] >= job.generation:
                return "lost"
            return self._take(job)
        published = asset["generation"] >= job.generation
        processing = asset["state"] == "processing" and asset["deleted_at"] is None
        return "held" if published or processing else "lost"

    def _take(self, job: Job) -> Standing:
        expect = {"next_generation": Below(job.generation), "deleted_at": None, "state": OneOf(FREE)}
        changes = {
            "job_id": job.id,
            "next_generation": job.generation,
            "state": "processing",
            "error": None,
            "updated_at": (now := self.database.now()),
        }
        begins = Event("asset.processing", now, job.owner, job.asset_id, job.id, {"generation": job.generation})
        if self.outbox.change(self.database.assets, job.asset_id, expect, changes, begins) is None:
            return "waiting"
        # Whoever ends a job marks it first and frees the asset then; here it is the other way round. So when both
        # happen at once, at least one sees the other.
        ended = self.database.jobs.get(job.id)
        if ended is None or ended.state in WORK_ENDED:
            self.give_back(job, told(ended or job))
            return "lost"
        return "held"

    def give_back(self, job: Job, error: dict[str, Any]) -> Asset | None:
        """Free the asset of a job that did not reach its goal; None when the job does not hold it.

        What was published before stays, and the error is told beside it.
        """
        asset = self.database.assets.peek(job.asset_id, ("generation", "sweep_at"))
        if asset is None:
            return None
        now = self.database.now()
        state = _without_success(asset["generation"], error)
        changes = {"state": state, "error": error, "updated_at": now} | leftovers(asset["sweep_at"], now)
        changes |= closed(asset["generation"])
        expect = {"job_id": job.id, "state": "processing", "generation": asset["generation"], "deleted_at": None}
        told = () if state == "ready" else (Event(f"asset.{state}", now, job.owner, job.asset_id, job.id, data=error),)
        return self.outbox.change(self.database.assets, job.asset_id, expect, changes, *told)

    def leave(self, job: Job) -> None:
        """Have removed what was made for a generation that was followed or given up, and swept, meanwhile."""
        asset = self.database.assets.peek(job.asset_id, ("generation", "next_generation", "state", "sweep_at"))
        if asset is not None and asset["generation"] != job.generation and not _makes(asset, job):
            changes = leftovers(asset["sweep_at"], self.database.now())
            self.database.assets.change(job.asset_id, {"generation": asset["generation"]}, changes)

    def published(self, job: Job) -> bool:
        """True when what the job made, or something later, is what viewers see."""
        asset = self.database.assets.peek(job.asset_id, ("generation",))
        return job.kind == "process" and asset is not None and asset["generation"] >= job.generation


def _makes(asset: Mapping[str, Any], job: Job) -> bool:
    """True while the asset is made in the generation of that job."""
    return bool(asset["state"] == "processing" and asset["next_generation"] == job.generation)


def told(job: Job) -> dict[str, Any]:
    """Why an ended job ended, for its asset."""
    return job.error or {"code": f"job.{job.state}", "detail": f"The job was {job.state}."}


def leftovers(sweep_at: float | None, now: float) -> dict[str, Any]:
    """The change of an asset that has what its ended job left behind removed; not before `sweep_at`, if that is set."""
    return {"sweep_at": max(sweep_at or 0.0, now + LEFTOVERS_SECONDS)}


def closed(generation: int) -> dict[str, Any]:
    """The change of an asset whose first generation will not be: nobody goes on watching what there is of it."""
    return {} if generation else {"opened": None, "playable": False}


def _without_success(generation: int, error: dict[str, Any]) -> AssetState:
    if generation > 0:
        return "ready"
    return "rejected" if str(error.get("code", "")).startswith("media.") else "failed"
