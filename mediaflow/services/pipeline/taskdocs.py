"""The documents around a claimed task, as its stage needs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mediaflow.domain import keys
from mediaflow.domain.errors import LeaseLost, MediaRejected, TaskFailed
from mediaflow.domain.ids import job_id
from mediaflow.domain.media import MediaInfo
from mediaflow.domain.records import Asset, Job, Task
from mediaflow.plugin import UploadDraft
from mediaflow.plugin.wire import load
from mediaflow.services.pipeline import findings
from mediaflow.services.ports import Database


@dataclass(frozen=True, slots=True)
class TaskDocuments:
    """Looks them up afresh each time: nothing is decided from an old copy."""

    database: Database

    def asset(self, task: Task) -> Asset:
        """The task's asset; MediaRejected (`asset.deleted`) when it was deleted meanwhile."""
        asset = self.database.assets.get(task.asset_id)
        if asset is None or asset.deleted_at is not None:
            raise MediaRejected("The asset was deleted.", code="asset.deleted")
        return asset

    def job(self, task: Task) -> Job:
        """The task's job."""
        job = self.database.jobs.get(task.job_id)
        if job is None:
            raise LeaseLost("the job is gone")
        return job

    def media(self, task: Task) -> MediaInfo:
        """What probing found."""
        return load(MediaInfo, self.job(task).media)

    def needed(self, task: Task) -> list[Task]:
        """The steps' tasks that the task needs and that were done, in the order of its needs.

        Those that open the presentation are for opening it: others make all that they make, but for what is made on
        demand.
        """
        done = {each.name: each for each in self._done(task.job_id)}
        needed = (done[name] for name in task.needs if name in done)
        return [each for each in needed if each.rank > 0 or not each.eager or task.stage == "open"]

    def picture(self, task: Task) -> str | None:
        """The image of the owner's that the task's job makes the picture of."""
        picture: str | None = (self.job(task).plan or {}).get("picture")
        return picture

    def findings(self, task: Task) -> dict[str, Any]:
        """What the steps' tasks of its generation found out that are done, by task, also for a job of demand."""
        return findings.of_tasks(self._done(job_id(task.asset_id, task.generation)))

    def _done(self, job: str) -> list[Task]:
        return self.database.tasks.find({"job_id": job, "stage": "step", "state": "done"})


def told_of(media: Mapping[str, Any]) -> dict[str, Any]:
    """What people are told of a job's media: where it can be cut is for who cuts it."""
    return {name: _shown(value) for name, value in media.items()}


def _shown(value: object) -> object:
    """A stream, or several, without what is read of its index."""
    if isinstance(value, Mapping):
        return {name: each for name, each in value.items() if name not in ("groups", "packets")}
    return [*map(_shown, value)] if isinstance(value, list) else value


def original_of(asset: Asset) -> str:
    """The key of the asset's original."""
    if asset.original_key is None:
        raise TaskFailed("The asset has no original yet.", code="job.no_original")
    return asset.original_key


def is_unhashed(asset: Asset) -> bool:
    """True while the original lies where it arrived, or was linked, and was not hashed yet (`uploads/originals.py`)."""
    key = asset.original_key or ""
    return asset.sha256 is None and (key == keys.upload_key(asset.upload_id) or keys.linked_file(key) is not None)


def draft_of(asset: Asset) -> UploadDraft:
    """The upload that became the asset, as plugins' hooks know it."""
    return UploadDraft(asset.owner, asset.filename, asset.size_bytes, asset.content_type, asset.sha256, asset.profile)
