"""What each stage of a job does: probe -> validate -> plan -> steps -> package -> publish. Each can be repeated."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mediaflow.domain import keys
from mediaflow.domain.errors import LeaseLost, MediaRejected, TaskFailed
from mediaflow.domain.events import Event
from mediaflow.domain.ids import job_id
from mediaflow.domain.media import MediaInfo
from mediaflow.domain.presentation import Artifact
from mediaflow.domain.profile import Profile
from mediaflow.domain.records import Asset, Job, Task
from mediaflow.domain.states import Stage
from mediaflow.plugin import (
    BLOCK_BYTES,
    Manifest,
    PlannedTask,
    ProcessRunner,
    StepTask,
    Storage,
    UploadDraft,
    plan_encode,
)
from mediaflow.plugin.probe import probe
from mediaflow.plugin.wire import dump, load
from mediaflow.services.claims import Lease
from mediaflow.services.execution import StageHandler
from mediaflow.services.jobs import Jobs
from mediaflow.services.packaging import Produced, build_presentation, describe_renditions
from mediaflow.services.ports import Below, Database, Metrics, Plugins, StepRequest, StepRunner
from mediaflow.services.sources import Sources
from mediaflow.services.workdir import WorkDirectory
from mediaflow.settings import Settings

STEP_SECONDS_PER_MEDIA_SECOND = 120.0
STEP_SECONDS_AT_LEAST = 600.0


@dataclass(frozen=True, slots=True)
class Stages:
    """The handlers of all stages over the same world."""

    database: Database
    storage: Storage
    sources: Sources
    plugins: Plugins
    jobs: Jobs
    steps: StepRunner
    processes: Callable[[Callable[[], str | None]], ProcessRunner]
    metrics: Metrics
    settings: Settings
    work: WorkDirectory

    def handlers(self) -> Mapping[Stage, StageHandler]:
        """Each stage's handler."""
        return {
            "probe": self.probe,
            "validate": self.validate,
            "plan": self.plan,
            "step": self.step,
            "package": self.package,
            "publish": self.publish,
        }

    # --- looking at the source

    def probe(self, task: Task, lease: Lease) -> dict[str, Any]:
        """Measure the source; what was found is kept in the job and in the asset."""
        asset, job = self._asset(task), self._job(task)
        with self.sources.opened(_original(asset)) as source:
            media = probe(
                source,
                self.processes(lease.reason),
                max_streams=self.settings.max_streams,
                max_pixels=self.settings.max_pixels,
            )
        document = dump(media)
        now = self.database.now()
        running = {"state": "running", "media": document, "updated_at": now}
        self.database.jobs.change(job.id, {"state": "pending"}, running)
        self.database.jobs.change(job.id, {"state": "running"}, {"media": document, "updated_at": now})
        facts = {"media": document, "duration_seconds": media.duration_seconds, "updated_at": now}
        self.database.assets.change(asset.id, {"job_id": job.id}, facts)
        return {}

    def validate(self, task: Task, _lease: Lease) -> dict[str, Any]:
        """Ask every plugin; the first problem rejects the asset."""
        asset, media = self._asset(task), self._media(task)
        problems = self.plugins.validate_media(media, _draft(asset))
        if problems:
            raise MediaRejected(problems[0].detail, code=problems[0].code)
        return {}

    # --- planning

    def plan(self, task: Task, _lease: Lease) -> dict[str, Any]:
        """Choose the profile, let its steps plan, and add their tasks to the job."""
        asset, job, media = self._asset(task), self._job(task), self._media(task)
        profile = self._profile(asset, job, media)
        planned = self.planned_tasks(media, profile)
        document = dump(plan_encode(media, profile))
        changes = {"plan": document, "profile": profile.name, "updated_at": self.database.now()}
        self.database.jobs.change(job.id, {"state": "running"}, changes)
        self.database.assets.change(asset.id, {"job_id": job.id}, {"profile": profile.name})
        self.jobs.add_steps(job, planned)
        return {"profile": profile.name, "tasks": len(planned)}

    def planned_tasks(self, media: MediaInfo, profile: Profile) -> list[tuple[str, PlannedTask]]:
        """All tasks that the profile's steps plan for the source, each with its step's name."""
        planned = [
            (spec.step, task)
            for spec in profile.steps
            for task in self.plugins.steps[spec.step].plan(media, spec, profile)
        ]
        names = [task.name for _, task in planned]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise TaskFailed(f"Profile {profile.name!r} plans two tasks called {twice!r}.", code="job.bad_plan")
        if all(task.optional for _, task in planned):
            detail = f"Profile {profile.name!r} makes nothing to play of a file with {media.kind} only."
            raise MediaRejected(detail, code="media.unsupported")
        return planned

    def _profile(self, asset: Asset, job: Job, media: MediaInfo) -> Profile:
        chosen = self.plugins.choose_profile(media, _draft(asset)) if job.profile is None else job.profile
        name = chosen or self.settings.default_profile
        if name not in self.plugins.profiles:
            raise TaskFailed(f"There is no profile called {name!r} (any more).", code="job.unknown_profile")
        return self.plugins.profiles[name]

    # --- steps

    def step(self, task: Task, lease: Lease) -> dict[str, Any]:
        """Run the step in its child process and put what it made into the storage, under this attempt's own path."""
        asset, media = self._asset(task), self._media(task)
        path = keys.attempt_path(task.generation, task.name, task.attempt)
        with self._directory(task) as directory, self.sources.opened(_original(asset)) as source:
            request = StepRequest(
                step=task.step or "",
                task=dump(StepTask(task.name, task.params, media)),
                source=str(source),
                directory=str(directory),
                time_limit_seconds=max(STEP_SECONDS_AT_LEAST, STEP_SECONDS_PER_MEDIA_SECOND * media.duration_seconds),
            )
            artifacts = self._measured(request, lease)
            for artifact in artifacts:
                self._keep(asset, path, directory, load(Artifact, artifact), lease)
        index = json.dumps(artifacts, separators=(",", ":")).encode()
        self._put(asset.id, f"{path}/artifacts.json", index, "application/json")
        self.metrics.count("mediaflow_step_artifacts_total", len(artifacts), step=task.step or "")
        return {"path": path, "artifacts": len(artifacts), "bytes": sum(a["size_bytes"] for a in artifacts)}

    def _measured(self, request: StepRequest, lease: Lease) -> list[dict[str, Any]]:
        started, outcome = time.monotonic(), "failed"
        try:
            artifacts = self.steps.run(request, _Hooks(lease))
            outcome = "done"
            return artifacts
        finally:
            self.metrics.count("mediaflow_encodes_total", step=request.step, outcome=outcome)
            self.metrics.observe("mediaflow_encode_seconds", time.monotonic() - started, step=request.step)

    @contextmanager
    def _directory(self, task: Task) -> Iterator[Path]:
        directory = self.work.path / f"{task.id}.{task.attempt}"
        directory.mkdir(parents=True, mode=0o700)
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def _keep(self, asset: Asset, path: str, directory: Path, artifact: Artifact, lease: Lease) -> None:
        if (reason := lease.reason()) is not None:
            raise LeaseLost(reason)
        with (directory / artifact.path).open("rb") as file:
            blocks = iter(lambda: file.read(BLOCK_BYTES), b"")
            key = f"{keys.asset_prefix(asset.id)}{path}/{artifact.path}"
            self.storage.put(key, blocks, size_bytes=artifact.size_bytes, content_type=artifact.content_type)

    # --- packaging and publishing

    def package(self, task: Task, _lease: Lease) -> dict[str, Any]:
        """Check that every file is there, build the presentation, write the manifests; returns what publishing sets."""
        asset, job, media = self._asset(task), self._job(task), self._media(task)
        profile = self._profile(asset, job, media)
        produced = [
            self._produced(asset, t) for t in self.jobs.tasks(job.id) if t.stage == "step" and t.state == "done"
        ]
        self._verify_stored(asset, produced)
        presentation = build_presentation(produced, media.duration_seconds)
        path = keys.attempt_path(task.generation, task.name, task.attempt)
        entries: dict[str, str] = {}
        for name in profile.manifests:
            for manifest in self.plugins.manifests[name].render(presentation):
                self._put_manifest(asset, path, manifest)
                if manifest.entry:
                    entries[name] = f"{path}/{manifest.path}"
        images = {
            a.role: f"{p.path}/{a.path}" for p in produced for a in p.artifacts if a.role in ("thumbnail", "storyboard")
        }
        return {
            "generation": task.generation,
            "hls": entries.get("hls"),
            "early_hls": None,
            "dash": entries.get("dash"),
            "manifests": entries,
            "thumbnail": images.get("thumbnail"),
            "storyboard": images.get("storyboard"),
            "duration_seconds": round(presentation.duration_seconds, 3),
            "size_bytes": sum(artifact.size_bytes for source in produced for artifact in source.artifacts),
            "renditions": describe_renditions(presentation),
        }

    def _produced(self, asset: Asset, task: Task) -> Produced:
        path = (task.result or {})["path"]
        data = b"".join(self.storage.read(f"{keys.asset_prefix(asset.id)}{path}/artifacts.json"))
        return Produced(path, tuple(load(Artifact, item) for item in json.loads(data)))

    def _verify_stored(self, asset: Asset, produced: list[Produced]) -> None:
        """Every artifact is in the storage with its size: a full disk is found here, not by a viewer."""
        for source in produced:
            prefix = f"{keys.asset_prefix(asset.id)}{source.path}/"
            stored = {info.key: info.size_bytes for info in self.storage.list(prefix)}
            for artifact in source.artifacts:
                if stored.get(prefix + artifact.path) != artifact.size_bytes:
                    raise TaskFailed(
                        f"{artifact.path} is not in the storage as it was made.", code="storage.lost_object"
                    )

    def _put_manifest(self, asset: Asset, path: str, manifest: Manifest) -> None:
        self._put(asset.id, f"{path}/{manifest.path}", manifest.body.encode(), manifest.content_type)

    def _put(self, asset_id: str, path: str, data: bytes, content_type: str) -> None:
        key = f"{keys.asset_prefix(asset_id)}{path}"
        self.storage.put(key, [data] if data else [], size_bytes=len(data), content_type=content_type)

    def publish(self, task: Task, _lease: Lease) -> dict[str, Any]:
        """Point the asset at the new generation: one compare-and-set, only forward, never for a deleted asset."""
        package = next(t for t in self.jobs.tasks(task.job_id) if t.name == "package")
        published, now = package.result or {}, self.database.now()
        changes = {
            "generation": task.generation,
            "published": published,
            "state": "ready",
            "playable": True,
            "duration_seconds": published["duration_seconds"],
            "error": None,
            "updated_at": now,
        }
        expect = {"generation": Below(task.generation), "deleted_at": None}
        asset = self.database.assets.change(task.asset_id, expect, changes)
        if asset is not None:
            self.plugins.publish_event(Event("asset.ready", now, asset.owner, asset.id, task.job_id))
            self.metrics.observe("mediaflow_asset_ready_seconds", now - asset.created_at)
        return {}

    # --- documents

    def _asset(self, task: Task) -> Asset:
        asset = self.database.assets.get(task.asset_id)
        if asset is None or asset.deleted_at is not None:
            raise MediaRejected("The asset was deleted.", code="asset.deleted")
        return asset

    def _job(self, task: Task) -> Job:
        job = self.database.jobs.get(task.job_id)
        if job is None or job.id != job_id(task.asset_id, task.generation):
            raise LeaseLost("the job is gone")
        return job

    def _media(self, task: Task) -> MediaInfo:
        return load(MediaInfo, self._job(task).media)


@dataclass(frozen=True, slots=True)
class _Hooks:
    """What a step's child tells and asks while it works."""

    lease: Lease

    def progress(self, fraction: float) -> None:
        self.lease.progress(fraction)

    def cancelled(self) -> str | None:
        return self.lease.reason()


def _original(asset: Asset) -> str:
    if asset.original_key is None:
        raise TaskFailed("The asset has no original yet.", code="job.no_original")
    return asset.original_key


def _draft(asset: Asset) -> UploadDraft:
    return UploadDraft(asset.owner, asset.filename, asset.size_bytes, asset.content_type, asset.sha256, asset.profile)
