"""What an asset is being made into, or was: its plan with what is there of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mediaflow.domain.errors import Conflict
from mediaflow.domain.ids import job_id
from mediaflow.domain.media import MediaInfo
from mediaflow.domain.records import Asset, Job
from mediaflow.domain.states import WORK_ACTIVE
from mediaflow.plugin import Part
from mediaflow.plugin.wire import load
from mediaflow.services.access.permissions import changeable
from mediaflow.services.access.principals import Principal
from mediaflow.services.pipeline import findings
from mediaflow.services.pipeline.foreseen import read
from mediaflow.services.pipeline.outlook import MadeOf, Outlook, Standing
from mediaflow.services.pipeline.planview import outlook
from mediaflow.services.ports import Between, Database, OneOf


@dataclass(frozen=True, slots=True)
class AssetPlan:
    """The plan of the newest generation that has one. `watched_at` is when somebody last watched the asset, if it has
    renditions on demand.
    """

    job: Job
    outlook: Outlook
    watched_at: float | None


@dataclass(frozen=True, slots=True)
class Plans:
    """Looks plans up for those who may change their assets."""

    database: Database

    def of(self, principal: Principal, asset_id: str) -> AssetPlan:
        """The asset's plan; Conflict (`asset.not_planned`) before there is one."""
        asset = changeable(principal, self.database.assets.get(asset_id))
        job = self._planned(asset)
        if job is None or job.plan is None or job.media is None:
            raise Conflict(f"The asset is {asset.state}, and not planned yet.", code="asset.not_planned")
        plan = read(job.plan)
        tracks = [each.name for each in plan.encode.video] + [each.name for each in plan.encode.audio]
        told = outlook(
            job.profile or "",
            load(MediaInfo, job.media),
            plan,
            list(self._standings(job)),
            dict(self._made(job, tracks)),
        )
        return AssetPlan(job, told, asset.watched_at)

    def _planned(self, asset: Asset) -> Job | None:
        """The job of the newest generation that was planned: that which is made, or that which is published."""
        generations = dict.fromkeys((asset.next_generation, asset.generation))
        jobs = (self.database.jobs.get(job_id(asset.id, generation)) for generation in generations)
        return next((job for job in jobs if job is not None and job.plan is not None), None)

    def _standings(self, job: Job) -> Iterator[Standing]:
        """How the job's tasks stand, and the pieces that players wait for now."""
        where = {"asset_id": job.asset_id, "generation": job.generation, "kind": "demand", "state": OneOf(WORK_ACTIVE)}
        jobs = (job.id, *(piece.id for piece in self.database.jobs.find(where)))
        for task in self.database.tasks.find({"job_id": OneOf(jobs), "stage": "step"}, sort=("created_at", "id")):
            part = None if task.part is None else load(Part, task.part)
            yield Standing(task.whole or task.name, part, task.state, (task.result or {}).get(findings.ROLE))

    def _made(self, job: Job, tracks: Iterable[str]) -> Iterator[tuple[str, MadeOf]]:
        """What is there of each track of which there are records."""
        for track in tracks:
            of_track = {"asset_id": job.asset_id, "generation": job.generation, "track": track}
            if self.database.segments.count(of_track):
                segments = {**of_track, "number": Between(0, None)}
                size = round(self.database.segments.total("size_bytes", segments))
                yield track, MadeOf(self.database.segments.count(segments), size)
