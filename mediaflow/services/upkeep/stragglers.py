"""Ends tasks that wait or run although their job has ended, or is gone.

Who ends a job cancels its tasks right afterwards, and may die in between; who adds tasks to a job may have stood still
while it was ended. No compare-and-set of one document can rule either out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from mediaflow.domain.states import WORK_ENDED
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.ports import Between, Database, OneOf

MOST: Final = 200
"""So many tasks are looked at in one sweep, the next ones in the next."""


@dataclass(slots=True)
class Stragglers:
    """Goes through all tasks that have not ended, a part in each sweep, the oldest first."""

    database: Database
    jobs: Jobs
    _since: float = 0.0

    def sweep(self) -> None:
        """Look at the next tasks."""
        where = {"state": OneOf(("pending", "running")), "created_at": Between(self._since, None)}
        found = self.database.tasks.find(where, sort=("created_at",), limit=MOST)
        for job in dict.fromkeys(task.job_id for task in found):
            known = self.database.jobs.peek(job, ("state",))
            if known is None or known["state"] in WORK_ENDED:
                self.jobs.cancel_tasks(job)
        self._since = math.nextafter(found[-1].created_at, math.inf) if len(found) == MOST else 0.0
