"""The first three stages of a job: probe the source, ask the plugins about it, plan the tasks. Each can be repeated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mediaflow.domain.errors import MediaRejected, TaskFailed, all_said
from mediaflow.domain.ladder import rung_choices
from mediaflow.domain.media import MediaInfo
from mediaflow.domain.profile import Profile
from mediaflow.domain.records import Asset, Job, Task
from mediaflow.media.probe import probe
from mediaflow.plugin import PlannedTask, ProcessRunner
from mediaflow.plugin.wire import dump
from mediaflow.services.pipeline.backlog import Backlog
from mediaflow.services.pipeline.fitting import fitted
from mediaflow.services.pipeline.foreseen import foreseen, kept
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.pipeline.lease import Lease
from mediaflow.services.pipeline.parts import REST, recipes_of
from mediaflow.services.pipeline.plannedtasks import MOST_TASKS
from mediaflow.services.pipeline.posters import chosen
from mediaflow.services.pipeline.sources import OpenSource, Sources
from mediaflow.services.pipeline.stepplans import encode_plan, plans_of
from mediaflow.services.pipeline.taskdocs import TaskDocuments, draft_of, is_unhashed, told_of
from mediaflow.services.ports import Database, Plugins
from mediaflow.settings import Settings


@dataclass(frozen=True, slots=True)
class Planning:
    """`processes` makes a runner of programs that stops when the function that it is given says why."""

    database: Database
    documents: TaskDocuments
    sources: Sources
    plugins: Plugins
    jobs: Jobs
    processes: Callable[[Callable[[], str | None]], ProcessRunner]
    settings: Settings

    def probe(self, task: Task, lease: Lease) -> dict[str, Any]:
        """Measure the source; what was found is kept in the job and in the asset."""
        asset, job = self.documents.asset(task), self.documents.job(task)
        with self.sources.opened(asset, lambda extents: extents.ends) as source:
            try:
                media = self._measured(source, lease)
            except MediaRejected:
                if not source.partial:
                    raise
                source.complete()  # nothing is refused for what was seen of a part
                media = self._measured(source, lease)
        self.probed(asset, job, media)
        return {}

    def _measured(self, source: OpenSource, lease: Lease) -> MediaInfo:
        return probe(
            source.path,
            self.processes(lease.reason),
            max_streams=self.settings.max_streams,
            max_pixels=self.settings.max_pixels,
            least_bytes=self.sources.least_bytes,
            need_all=source.complete,
            whole=not source.partial,
        )

    def probed(self, asset: Asset, job: Job, media: MediaInfo) -> None:
        """Keep what was measured."""
        document, now = dump(media), self.database.now()
        running = {"state": "running", "media": document, "updated_at": now}
        self.database.jobs.change(job.id, {"state": "pending"}, running)
        self.database.jobs.change(job.id, {"state": "running"}, {"media": document, "updated_at": now})
        facts = {
            "media": told_of(document),
            "duration_seconds": media.duration_seconds,
            "content_type": media.content_type,
            "updated_at": now,
        }
        self.database.assets.change(asset.id, {"job_id": job.id}, facts)

    def validate(self, task: Task, _lease: Lease) -> dict[str, Any]:
        """Ask every plugin; any problem rejects the asset, with the code of the first and what all of them say."""
        asset, media = self.documents.asset(task), self.documents.media(task)
        problems = self.plugins.validate_media(media, draft_of(asset))
        if problems:
            raise MediaRejected(all_said(problems), code=problems[0].code)
        return {}

    def plan(self, task: Task, _lease: Lease) -> dict[str, Any]:
        """Choose the profile, let its steps plan, and add their tasks to the job."""
        asset, job, media = self.documents.asset(task), self.documents.job(task), self.documents.media(task)
        profile = self._profile(asset, job, media)
        if asset.not_copied is not None:
            profile = replace(profile, copies=False)
        # what plays already plays on until the new generation is published: only the first one opens before
        planned = self.planned_tasks(media, profile, asset.poster_seconds, opens=asset.generation == 0)
        costs = Backlog(self.database, self.settings.quota_core_seconds)
        costs.check_plan(sum(task.weight for _, task in planned if task.when == "eager"))
        encode = encode_plan(media, profile, planned)
        if asset.not_copied is not None:
            encode = replace(encode, not_copied=asset.not_copied)
        changes = {
            "plan": kept(encode, rung_choices(media, profile), foreseen(planned)),
            "recipes": [dump(recipe) for recipe in recipes_of(planned)],
            "profile": profile.name,
            "updated_at": self.database.now(),
        }
        self.database.jobs.change(job.id, {"state": "running"}, changes)
        # what is published was made with another profile perhaps, and stays until this is published
        self.database.assets.change(asset.id, {"job_id": job.id, "generation": 0}, {"profile": profile.name})
        self.jobs.add_steps(job, planned, hashes=is_unhashed(asset))
        return {"profile": profile.name, "tasks": len(planned), "poster_seconds": asset.poster_seconds}

    def planned_tasks(
        self, media: MediaInfo, profile: Profile, poster_seconds: float | None = None, *, opens: bool = True
    ) -> list[tuple[str, PlannedTask]]:
        """All tasks that the profile's steps plan for the source, each with its step's name; see `fitted`.

        Without `opens`, those that let viewers begin are left out: others make all that they make.
        """
        planned = [
            each
            for spec in (chosen(spec, poster_seconds) for spec in profile.steps)
            for each in plans_of(self.plugins, spec, media, profile)
        ]
        if not opens:
            planned = [(step, replace(task, rank=REST)) for step, task in planned if task.rank > 0]
        if all(task.optional for _, task in planned):
            detail = f"Profile {profile.name!r} makes nothing to play of this {media.kind} file; choose another."
            raise MediaRejected(detail, code="media.unsupported")
        if len(planned) > MOST_TASKS:
            raise TaskFailed(
                f"Profile {profile.name!r}: its steps plan {len(planned)} tasks; at most {MOST_TASKS} fit into a job.",
                code="job.bad_plan",
            )
        return fitted(planned, profile)

    def _profile(self, asset: Asset, job: Job, media: MediaInfo) -> Profile:
        wished = self.plugins.choose_profile(media, draft_of(asset)) if job.profile is None else job.profile
        name = wished or self.settings.default_profile
        if name not in self.plugins.profiles:
            raise TaskFailed(f"There is no profile called {name!r} (any more).", code="job.unknown_profile")
        return with_rungs(self.plugins.profiles[name], asset.rungs)


def with_rungs(profile: Profile, names: Sequence[str]) -> Profile:
    """The profile with those rungs of its ladder alone; with all if it has none of them."""
    ladder = tuple(rung for rung in profile.ladder if rung.name in names)
    return replace(profile, ladder=ladder) if ladder else profile
