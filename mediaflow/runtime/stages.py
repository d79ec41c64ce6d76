"""The stages of a job: what its tasks do, wired."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mediaflow.domain.states import Stage
from mediaflow.plugin import ProcessRunner, Storage
from mediaflow.registry import Registry
from mediaflow.runtime.places import machine_cores, work_root
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.services.assets.keeping import Keeping
from mediaflow.services.originals.places import OriginalFiles
from mediaflow.services.pipeline.budgets import memory_ceiling, probe_budget
from mediaflow.services.pipeline.confinement import confinement_of
from mediaflow.services.pipeline.execution import StageHandler
from mediaflow.services.pipeline.inputs import Inputs
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.pipeline.opening import Opening
from mediaflow.services.pipeline.planning import Planning
from mediaflow.services.pipeline.posters import Posters
from mediaflow.services.pipeline.publishing import Publishing
from mediaflow.services.pipeline.rendering import Rendering
from mediaflow.services.pipeline.segments import Segments
from mediaflow.services.pipeline.sources import Sources
from mediaflow.services.pipeline.stepping import Stepping
from mediaflow.services.pipeline.stepprocess import ChildSteps
from mediaflow.services.pipeline.taskdocs import TaskDocuments
from mediaflow.services.pipeline.workdir import WorkDirectory
from mediaflow.services.ports import Database, Metrics
from mediaflow.services.uploads.blobs import Blobs
from mediaflow.services.uploads.originals import Originals
from mediaflow.settings import Settings


def _runners(settings: Settings) -> Callable[[Callable[[], str | None]], ProcessRunner]:
    confinement, budget = confinement_of(settings), probe_budget(memory_ceiling(settings.task_memory_bytes))
    return lambda stop: SandboxedRunner(confinement.mode, stop, budget, confinement)


@dataclass(frozen=True, slots=True)
class Ground:
    """What the services stand on."""

    settings: Settings
    plugins: Registry
    metrics: Metrics
    database: Database
    storage: Storage
    files: OriginalFiles
    jobs: Jobs
    work: WorkDirectory


@dataclass(frozen=True, slots=True)
class Stages:
    """What the tasks of a job do. `steps` is to be closed."""

    steps: ChildSteps
    planning: Planning
    stepping: Stepping
    rendering: Rendering
    posters: Posters
    opening: Opening
    originals: Originals
    keeping: Keeping
    publishing: Publishing

    @property
    def handlers(self) -> dict[Stage, StageHandler]:
        return {
            "probe": self.planning.probe,
            "validate": self.planning.validate,
            "plan": self.planning.plan,
            "step": self.stepping.run,
            "open": self.opening.open,
            "digest": self.originals.digest,
            "settle": self.originals.settle,
            "package": self.publishing.package,
            "publish": self.publishing.publish,
            "poster": self.posters.apply,
            "original": self.keeping.bring,
        }


def build_stages(on: Ground) -> Stages:
    """Wire what the tasks of a job need."""
    settings, database, storage, plugins, jobs = on.settings, on.database, on.storage, on.plugins, on.jobs
    documents, segments = TaskDocuments(database), Segments(database, storage)
    blobs = Blobs(database, storage)
    unpacking, cache = _runners(settings)(lambda: None), work_root(settings).parent / "cache"
    sources = Sources(on.files, cache, settings.source_cache_bytes, on.metrics, unpacking)
    rendering = Rendering(storage, plugins, settings.stream_bucket_seconds)
    posters = Posters(database, documents, storage, on.files, plugins, jobs, rendering)
    steps, memory = ChildSteps(settings, plugins), memory_ceiling(settings.task_memory_bytes)
    return Stages(
        steps=steps,
        planning=Planning(database, documents, sources, plugins, jobs, _runners(settings), settings),
        stepping=Stepping(documents, storage, sources, Inputs(storage), steps, on.metrics, on.work, segments, memory),
        rendering=rendering,
        posters=posters,
        opening=Opening(database, documents, plugins, jobs.outbox, rendering, on.metrics, machine_cores()),
        originals=Originals(database, storage, on.files, jobs, blobs, documents, on.metrics),
        keeping=Keeping(database, on.files, jobs, blobs, documents),
        publishing=Publishing(database, documents, storage, plugins, jobs, rendering, posters, on.metrics),
    )
