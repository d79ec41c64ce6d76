"""Processing again: a new generation of an asset while the old one plays; and stopping or repeating a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mediaflow.domain.errors import Conflict, InvalidInput, NotFound, Problem
from mediaflow.domain.profile import Profile
from mediaflow.domain.records import Asset, Job
from mediaflow.services.access.permissions import changeable
from mediaflow.services.access.principals import Principal
from mediaflow.services.pipeline.backlog import Backlog
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.pipeline.tenure import FREE
from mediaflow.services.ports import Database, OneOf

CANCELLED: Final = {"code": "job.cancelled", "detail": "The job was cancelled."}


@dataclass(frozen=True, slots=True)
class Reprocess:
    """What owners can do about the work on their assets. `profiles` are the names of those that there are."""

    database: Database
    jobs: Jobs
    profiles: Mapping[str, Profile]
    backlog: Backlog

    def asset(
        self, principal: Principal, asset_id: str, profile: str | None = None, rungs: Sequence[str] | None = None
    ) -> Asset:
        """Begin the next generation, with that profile or the one of the last time, and those `rungs` of its ladder
        (empty: all; None: as the last time, of another profile all).

        What is published plays on until the new one is; it stays when that fails.
        """
        asset = changeable(principal, self.database.assets.get(asset_id))
        if profile is not None and profile not in self.profiles:
            raise self._unknown(profile)
        if rungs is not None or profile not in (None, asset.profile):
            self._choose(asset, profile or asset.profile, rungs or ())
        self._begin(asset, profile)
        return changeable(principal, self.database.assets.get(asset_id))

    def retry(self, principal: Principal, job_id: str) -> Job:
        """Begin the next generation as that job was, which failed or was cancelled; the new job."""
        job = self.job(principal, job_id)
        asset = changeable(principal, self.database.assets.get(job.asset_id))
        if job.state not in ("failed", "cancelled"):
            raise Conflict(f"The job is {job.state}; only a failed or cancelled one can be repeated.", code="job.retry")
        if job.kind != "process":
            raise Conflict("Wish for it once more instead: this is no job of processing.", code="job.retry")
        return self._begin(asset, job.profile)

    def cancel(self, principal: Principal, job_id: str) -> Job:
        """End a job: what runs of it is dead within 5 seconds, and nothing of it is published. It can be repeated."""
        job = self.job(principal, job_id)
        if job.state in ("pending", "running"):
            self.jobs.end(job, "cancelled", CANCELLED)
            job = self.job(principal, job_id)
        if job.state != "cancelled":
            raise Conflict(f"The job is {job.state} already.", code="job.ended")
        return job

    def _begin(self, asset: Asset, profile: str | None) -> Job:
        if asset.state == "created" or asset.original_key is None:
            raise Conflict("The asset has no original that could be processed.", code="asset.not_stored")
        self.backlog.check(asset.owner)
        busy = asset.state in ("stored", "processing")
        job = None if busy else self.jobs.restart(asset, profile)
        if job is None:
            raise Conflict("The asset is being processed already.", code="asset.processing")
        return job

    def _choose(self, asset: Asset, profile: str | None, rungs: Sequence[str]) -> None:
        if asset.state not in FREE:
            return  # it can't be begun
        if rungs and profile is None:
            problem = Problem("asset.unknown_profile", "name the profile whose sizes these are", "/profile")
            raise InvalidInput("Whose sizes these are is not known.", code=problem.code, problems=(problem,))
        known = [rung.name for rung in self.profiles[profile].ladder] if profile in self.profiles and profile else []
        for index, name in enumerate(rungs):
            if name not in known:
                detail = f"the profile {profile!r} has no rung {name!r}; there are {', '.join(known)}"
                problem = Problem("asset.unknown_rung", detail, f"/renditions/{index}")
                raise InvalidInput("The size is not known.", code="asset.unknown_rung", problems=(problem,))
        self.database.assets.change(asset.id, {"state": OneOf(FREE)}, {"rungs": list(rungs)})

    def _unknown(self, name: str) -> InvalidInput:
        choices = ", ".join(sorted(self.profiles))
        problem = Problem("asset.unknown_profile", f"no profile is called {name!r}; there are {choices}", "/profile")
        return InvalidInput("The profile is not known.", code="asset.unknown_profile", problems=(problem,))

    def job(self, principal: Principal, job_id: str) -> Job:
        """One job of the principal's (an admin's: anybody's). NotFound else."""
        job = self.database.jobs.get(job_id)
        if job is None or not (principal.is_admin or job.owner == principal.user):
            raise NotFound("There is no such job.", code="job.not_found")
        return job
