"""Steering many jobs, or the order of them: what failed for one reason is repeated, what matters less goes later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from mediaflow.domain.errors import Conflict, Forbidden, LimitReached, MediaflowError
from mediaflow.domain.queue import OWNER_PRIORITIES
from mediaflow.domain.records import Job
from mediaflow.domain.states import WORK_ACTIVE
from mediaflow.services.access.permissions import scope
from mediaflow.services.access.principals import Principal
from mediaflow.services.assets.reprocess import Reprocess
from mediaflow.services.ports import Between, Database

MOST_RETRIED: Final = 100
"""So many jobs are begun by one request."""
MOST_EXAMINED: Final = 1000
"""So many failed jobs are looked at by one request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryQuery:
    """Which failed jobs: with that error, made from then on (seconds since the epoch), of that user (for admins)."""

    code: str | None = None
    since: float | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Retried:
    """What came of it. `more`: not all were looked at, and asking again with `since` goes on."""

    begun: tuple[tuple[Job, Job], ...]
    refused: tuple[tuple[Job, MediaflowError], ...]
    examined: int
    more: bool
    since: float | None


@dataclass(frozen=True, slots=True)
class Steering:
    """What owners, and admins for all, can do about their jobs."""

    database: Database
    reprocess: Reprocess

    def prioritise(self, principal: Principal, job_id: str, priority: int) -> Job:
        """Have the job's tasks claimed before those of smaller priority, and after those of greater."""
        job = self.reprocess.job(principal, job_id)
        least, most = OWNER_PRIORITIES
        if not principal.is_admin and not least <= priority <= most:
            raise Forbidden(f"You can give your jobs a priority of {least} to {most}; admins any.", code="job.priority")
        # one that begins meanwhile is looked at again, and one that has ended is not written
        changed = None
        while changed is None:
            if job.state not in WORK_ACTIVE:
                raise Conflict("The job has ended; there is nothing left to order.", code="job.ended")
            changed = self.database.jobs.change(job_id, {"state": job.state}, {"priority": priority})
            job = changed or self.reprocess.job(principal, job_id)
        # what is made later takes it from the job (`Jobs.advance`)
        for task in self.database.tasks.find({"job_id": job_id, "state": "pending"}):
            self.database.tasks.change(task.id, {"state": "pending"}, {"priority": priority})
        return changed

    def retry_failed(self, principal: Principal, query: RetryQuery) -> Retried:
        """Repeat what failed, the oldest first: of each asset its newest job only, and none that was repeated already.

        A job that can't be repeated does not stop the others; a limit that is reached does.
        """
        if query.owner not in (None, principal.user) and not principal.is_admin:
            raise Forbidden("Only admins repeat the jobs of others.", code="auth.forbidden")
        begun: list[tuple[Job, Job]] = []
        refused: list[tuple[Job, MediaflowError]] = []
        failed, more = self._failed(principal, query), False
        examined, since = 0, query.since
        for job in failed[:MOST_EXAMINED]:
            if len(begun) + len(refused) >= MOST_RETRIED:
                more = True
                break
            examined, since = examined + 1, job.created_at
            if not self._is_meant(job, query):
                continue
            try:
                begun.append((job, self.reprocess.retry(principal, job.id)))
            except LimitReached as error:
                if not begun:
                    raise
                refused.append((job, error))
                more = True
                break
            except MediaflowError as error:
                refused.append((job, error))
        return Retried(tuple(begun), tuple(refused), examined, more or len(failed) > MOST_EXAMINED, since)

    def _failed(self, principal: Principal, query: RetryQuery) -> list[Job]:
        where: dict[str, Any] = {**scope(principal), "state": "failed"}
        if query.owner is not None:
            where["owner"] = query.owner
        if query.since is not None:
            where["created_at"] = Between(query.since, None)
        return self.database.jobs.find(where, sort=("created_at", "id"), limit=MOST_EXAMINED + 1)

    def _is_meant(self, job: Job, query: RetryQuery) -> bool:
        if job.kind != "process" or (query.code is not None and (job.error or {}).get("code") != query.code):
            return False
        asset = self.database.assets.peek(job.asset_id, ("job_id", "deleted_at"))
        return asset is not None and asset["deleted_at"] is None and asset["job_id"] == job.id
