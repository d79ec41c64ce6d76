"""How far work is: a few sums over tasks, so that a film of many parts costs no more to look at than a short clip."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mediaflow.domain.records import Asset
from mediaflow.domain.states import WORK_ACTIVE, WORK_ENDED
from mediaflow.services.ports import Between, Database, OneOf

ETA_FROM_PROGRESS: Final = 0.03
"""With less progress than this, what remains can't be told from what passed."""
AT_ONCE: Final = 100
"""Ids in one condition."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the newest job of an asset is, 0.0-1.0, and the seconds that it will still take (None: not known)."""

    fraction: float
    eta_seconds: float | None


@dataclass(frozen=True, slots=True)
class Progresses:
    """Looks at the jobs of assets, by the expected costs of their tasks."""

    database: Database

    def of(self, assets: Iterable[Asset]) -> dict[str, Progress]:
        """How far each of these is, by its id. Tasks of an asset that is not being processed don't count."""
        found = {each.id: Progress(1.0 if each.state == "ready" else 0.0, None) for each in assets}
        working = {each.job_id: each.id for each in assets if each.state == "processing" and each.job_id is not None}
        jobs = list(working)
        for first in range(0, len(jobs), AT_ONCE):
            some = tuple(jobs[first : first + AT_ONCE])
            found |= {working[job]: progress for job, progress in self._of_jobs(some).items()}
        return found

    def _of_jobs(self, jobs: tuple[str, ...]) -> dict[str, Progress]:
        where = {"job_id": OneOf(jobs)}
        totals = self.database.tasks.sums("weight", "job_id", where)
        ended = self.database.tasks.sums("weight", "job_id", where | {"state": OneOf(WORK_ENDED)})
        planned = {task.job_id for task in self.database.tasks.find(where | {"stage": "publish"})}
        done = {job: each.total for job, each in ended.items()}
        for task in self.database.tasks.find(where | {"state": OneOf(WORK_ACTIVE), "progress": Between(1e-9, None)}):
            done[task.job_id] = done.get(task.job_id, 0.0) + task.weight * task.progress
        fractions = {
            job: min(0.999, done.get(job, 0.0) / each.total) if job in planned and each.total else 0.01
            for job, each in totals.items()
        }
        # Time that was worked, not time that passed: while nothing runs, nothing is learned of how long the rest takes.
        steps = where | {"stage": "step"}
        spent = {job: each.total for job, each in self.database.tasks.sums("seconds", "job_id", steps).items()}
        running = self.database.tasks.sums("weight", "job_id", steps | {"state": "running"})
        side_by_side = {job: each.count for job, each in running.items()}
        return {
            job: Progress(fraction, _eta(fraction, spent.get(job, 0.0), side_by_side.get(job, 1)))
            for job, fraction in fractions.items()
        }


def _eta(fraction: float, spent: float, side_by_side: int) -> float | None:
    """What remains, at the speed so far, by as many tasks as run now; None before that says anything."""
    if fraction < ETA_FROM_PROGRESS or spent <= 0.0:
        return None
    return round(spent * (1.0 - fraction) / fraction / side_by_side, 1)
