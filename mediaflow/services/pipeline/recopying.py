"""What was taken as it is and turns out to be damaged: it is not shown, and encoded after all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from mediaflow.domain.records import Asset, Job, Task
from mediaflow.services.pipeline import findings
from mediaflow.services.pipeline.foreseen import read
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.ports import Database

FOUND: Final = "not_copied"
"""Under which a step that decodes the source tells, among its findings, why nobody should take it as it is."""
_log = structlog.get_logger(__name__)


def copied_track(job: Job) -> str | None:
    """The rendition that is the source's own pictures, if one is planned."""
    video = () if job.plan is None else read(job.plan).encode.video
    return video[0].name if video and video[0].copied else None


def why_not_shown(tasks: Iterable[Task], track: str) -> str | None:
    """Why that rendition must not be shown as it is, as the end of a sentence: it could not be made, or a task that
    decoded the source found damage. None when all is well.
    """
    tasks = list(tasks)
    if any(task.state == "failed" and task.rank > 0 and track in tracks_of(task) for task in tasks):
        return "it could not be cut as it is"
    told = (((task.result or {}).get(findings.ROLE) or {}).get(FOUND) for task in tasks)
    return next((why for why in told if isinstance(why, str)), None)


def tracks_of(task: Task) -> tuple[str, ...]:
    """Those of a task that makes a part."""
    return tuple((task.part or {}).get("tracks", ()))


def shown(job: Job, tasks: Sequence[Task], done: Iterable[Task]) -> list[Task]:
    """Those of the tasks that are done whose rendition may be shown."""
    track = copied_track(job)
    refuted = track is not None and why_not_shown(tasks, track) is not None
    return [task for task in done if not (refuted and tracks_of(task) == (track,))]


@dataclass(frozen=True, slots=True)
class Recopying:
    """Begins again where pictures were taken as they are in vain."""

    database: Database
    jobs: Jobs

    def catch_up(self, asset: Asset, job: Job) -> None:
        """Process the asset once more, from its pictures decoded, while what is published plays. Nothing where all is
        well, or where it was done before.
        """
        track = copied_track(job)
        why = None if track is None else why_not_shown(self.jobs.tasks(job.id), track)
        if why is None or asset.not_copied is not None:
            return
        seen = {"not_copied": None, "generation": job.generation}
        if self.database.assets.change(asset.id, seen, {"not_copied": why, "updated_at": self.database.now()}):
            _log.info("encoded after all", asset_id=asset.id, why=why)
            self.jobs.restart(asset, job.profile)
