"""Goes forward from whatever a crash left behind. Safe in several copies: each move is a compare-and-set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from mediaflow.domain.errors import Unavailable
from mediaflow.domain.states import UPLOAD_RECEIVING, WORK_ENDED
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.pipeline.pausing import Pausing
from mediaflow.services.pipeline.tenure import told
from mediaflow.services.ports import Below, Between, Database, Wakeups
from mediaflow.services.upkeep.orphans import give_back
from mediaflow.services.uploads.assembly import Assembly
from mediaflow.services.uploads.counting import idle_and_whole
from mediaflow.services.uploads.ingest import Ingest

_log = structlog.get_logger(__name__)
BATCH = 200
OVERDUE_SECONDS: Final = 30.0
"""So long after an asset was stored or restored somebody has died if its job is still missing."""


class Sweeper(Protocol):
    """Removes what nobody needs any more: a bounded part of it each time, cheaply when there is nothing."""

    def sweep(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Reconciler:
    """`nudge` every second from workers with room, `sweep` every 10 s, the sweepers at its end."""

    database: Database
    wakeups: Wakeups
    jobs: Jobs
    ingest: Ingest
    assembly: Assembly
    sweepers: Sequence[Sweeper] = ()

    def nudge(self, most: int = 4) -> None:
        """Hint at tasks that wait although this worker has room: their message was lost or went to a busy one."""
        if Pausing(self.database).is_paused():
            return
        now = self.database.now()
        where = {"state": "pending", "ready": True, "not_before": Below(now), "updated_at": Below(now - 0.5)}
        for task in self.database.tasks.find(where, sort=("-priority", "created_at"), limit=most):
            self.wakeups.wake(task.stage, task.id)

    def sweep(self) -> None:
        """One round over everything that may be stuck."""
        own = (self._leases, self._jobs, self._assemblies, self._expired, self._without_job)
        for step in (*own, *(sweeper.sweep for sweeper in self.sweepers)):
            try:
                step()
            except Unavailable as error:
                _log.warning("reconciling waits for a dependency", step=step.__qualname__, detail=error.detail)

    def _leases(self) -> None:
        """Tasks whose worker is gone go back to pending."""
        now = self.database.now()
        for task in self.database.tasks.find({"state": "running", "lease_until": Below(now)}, limit=BATCH):
            give_back(self.database, self.wakeups, task, {"lease_until": Below(now)})

    def _jobs(self) -> None:
        """Jobs whose next step was not made, because whoever should have made it died before."""
        for state in ("running", "pending"):
            for job in self.database.jobs.find({"state": state}, sort=("created_at",), limit=BATCH):
                self.jobs.advance(job.id)

    def _assemblies(self) -> None:
        now = self.database.now()
        for upload in self.database.uploads.find({"state": "assembling", "lease_until": Below(now)}, limit=BATCH):
            self.wakeups.wake_assembly(upload.id)
        for upload in self.database.uploads.find({"state": "stored", "waits_since": None}, limit=BATCH):
            self.assembly.finish(upload.id)

    def _expired(self) -> None:
        for upload in idle_and_whole(self.database):
            self.ingest.complete(upload.owner, upload.id)
        now = self.database.now()
        for state in UPLOAD_RECEIVING:
            for upload in self.database.uploads.find({"state": state, "expires_at": Below(now)}, limit=BATCH):
                # the first chunk of a slow sender may be on its way; all of them together may not be for ever
                if state == "receiving" or not self._is_arriving(upload.id, now):
                    self.ingest.end(upload, "expired")

    def _is_arriving(self, upload_id: str, now: float) -> bool:
        writing = {"upload_id": upload_id, "state": "writing", "lease_until": Between(now, None)}
        return self.database.chunks.count(writing) > 0

    def _without_job(self) -> None:
        """Assets that wait for a job that nobody made, and such as a job held that had ended already."""
        overdue = Below(self.database.now() - OVERDUE_SECONDS)
        waiting = {"state": "stored", "deleted_at": None, "updated_at": overdue}
        for asset in self.database.assets.find(waiting, limit=BATCH):
            self.jobs.restart(asset, None)
        for asset in self.database.assets.find({"state": "processing", "updated_at": overdue}, limit=BATCH):
            job = self.database.jobs.get(asset.job_id) if asset.job_id else None
            if job is not None and job.state in WORK_ENDED:
                self.jobs.tenure.give_back(job, told(job))
