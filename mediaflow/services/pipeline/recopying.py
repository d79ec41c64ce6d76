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


def refuted(job: Job, tasks: Iterable[Task]) -> dict[str, str]:
    """The renditions that are planned as the source's own pictures or sound and must not be shown so, and why, as the
    end of a sentence: one could not be made, or a task that decoded the source found damage in its pictures.
    """
    if job.plan is None:
        return {}
    tasks, encode = list(tasks), read(job.plan).encode
    copied = [each.name for each in encode.video if each.copied] + [each.name for each in encode.audio if each.copied]
    failed = {name for task in tasks if task.state == "failed" and task.rank > 0 for name in tracks_of(task)}
    found = {name: "it could not be cut as it is" for name in copied if name in failed}
    told = (((task.result or {}).get(findings.ROLE) or {}).get(FOUND) for task in tasks)
    why = next((why for why in told if isinstance(why, str)), None)
    if why is not None and encode.video and encode.video[0].copied:
        found.setdefault(encode.video[0].name, why)
    return found


def tracks_of(task: Task) -> tuple[str, ...]:
    """Those of a task that makes a part."""
    return tuple((task.part or {}).get("tracks", ()))


def shown(job: Job, tasks: Sequence[Task], done: Iterable[Task]) -> list[Task]:
    """Those of the tasks that are done whose rendition may be shown."""
    not_shown = refuted(job, tasks)
    return [task for task in done if not (not_shown and set(tracks_of(task)) & not_shown.keys())]


@dataclass(frozen=True, slots=True)
class Recopying:
    """Begins again where pictures or sound were taken as they are in vain."""

    database: Database
    jobs: Jobs

    def catch_up(self, asset: Asset, job: Job) -> None:
        """Process the asset once more, all of it decoded, while what is published plays. Nothing where all is
        well, or where it was done before.
        """
        if asset.not_copied is not None or not (found := refuted(job, self.jobs.tasks(job.id))):
            return
        why = next(iter(found.values()))
        seen = {"not_copied": None, "generation": job.generation}
        if self.database.assets.change(asset.id, seen, {"not_copied": why, "updated_at": self.database.now()}):
            _log.info("encoded after all", asset_id=asset.id, why=why)
            self.jobs.restart(asset, job.profile)
