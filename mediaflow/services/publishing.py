"""The last two stages of a job: package what the steps made, then point the asset at it. Manifests come last."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from mediaflow.domain import keys
from mediaflow.domain.errors import TaskFailed
from mediaflow.domain.events import Event
from mediaflow.domain.presentation import Artifact, Presentation
from mediaflow.domain.records import Asset, Task
from mediaflow.plugin import Storage
from mediaflow.plugin.wire import load
from mediaflow.services.claims import Lease
from mediaflow.services.jobs import Jobs
from mediaflow.services.packaging import ARTIFACTS, Produced, build_presentation, describe_renditions
from mediaflow.services.ports import Below, Database, Metrics, Plugins
from mediaflow.services.taskdocs import TaskDocuments


@dataclass(frozen=True, slots=True)
class Publishing:
    """Nothing is published before every file was found where it must be, with its size."""

    database: Database
    documents: TaskDocuments
    storage: Storage
    plugins: Plugins
    jobs: Jobs
    metrics: Metrics

    def package(self, task: Task, _lease: Lease) -> dict[str, Any]:
        """Check that every file is there, build the presentation, write the manifests; returns what publishing sets."""
        asset, media = self.documents.asset(task), self.documents.media(task)
        done = [other for other in self.jobs.tasks(task.job_id) if other.stage == "step" and other.state == "done"]
        produced = [self._produced(asset, other) for other in done]
        self._verify_stored(asset, produced)
        presentation = build_presentation(produced, media.duration_seconds)
        entries = self._write_manifests(task, presentation)
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

    def _write_manifests(self, task: Task, presentation: Presentation) -> dict[str, str]:
        """Render and store every format that the profile names; the path of each one's entry."""
        path = keys.attempt_path(task.generation, task.name, task.attempt)
        profile = self.plugins.profiles[self.documents.job(task).profile or ""]
        entries: dict[str, str] = {}
        for name in profile.manifests:
            for manifest in self.plugins.manifests[name].render(presentation):
                data, key = manifest.body.encode(), f"{keys.asset_prefix(task.asset_id)}{path}/{manifest.path}"
                self.storage.put(key, [data], size_bytes=len(data), content_type=manifest.content_type)
                if manifest.entry:
                    entries[name] = f"{path}/{manifest.path}"
        return entries

    def _produced(self, asset: Asset, task: Task) -> Produced:
        path = (task.result or {})["path"]
        data = b"".join(self.storage.read(f"{keys.asset_prefix(asset.id)}{path}/{ARTIFACTS}"))
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
