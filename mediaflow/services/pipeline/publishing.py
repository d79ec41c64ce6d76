"""The last two stages of a job: package what the steps made, then point the asset at it. Manifests come last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from mediaflow.domain import keys
from mediaflow.domain.documents import publication_document, publication_of
from mediaflow.domain.errors import LeaseLost, TaskFailed
from mediaflow.domain.events import Event
from mediaflow.domain.profile import Profile
from mediaflow.domain.publication import Files, Publication
from mediaflow.domain.records import Asset, Task
from mediaflow.plugin import Storage
from mediaflow.services.changing import kept_busy, until_done
from mediaflow.services.originals.states import original_state
from mediaflow.services.pipeline.downloads import Downloads
from mediaflow.services.pipeline.fitting import check_made
from mediaflow.services.pipeline.foundcaptions import FoundCaptions
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.pipeline.lease import Lease
from mediaflow.services.pipeline.packaging import (
    Produced,
    build_presentation,
    describe_renditions,
    files_of,
    outputs_of,
)
from mediaflow.services.pipeline.posters import Posters
from mediaflow.services.pipeline.recopying import Recopying, shown
from mediaflow.services.pipeline.rendering import Rendering
from mediaflow.services.pipeline.taskdocs import TaskDocuments, told_of
from mediaflow.services.ports import Below, Database, Metrics, Plugins


@dataclass(frozen=True, slots=True)
class Publishing:
    """Nothing is published before every file was found where it must be, with its size."""

    database: Database
    documents: TaskDocuments
    storage: Storage
    plugins: Plugins
    jobs: Jobs
    rendering: Rendering
    posters: Posters
    metrics: Metrics

    @property
    def found(self) -> FoundCaptions:
        """What becomes of captions that steps find in the file."""
        return FoundCaptions(self.database, self.storage)

    def package(self, task: Task, _lease: Lease) -> dict[str, Any]:
        """Check that every file is there, build the presentation, write the manifests; returns what is published."""
        asset = self.documents.asset(task)
        tasks = self.jobs.tasks(task.job_id)
        # in the profile's order, which says what comes first of a kind
        done = shown(self.documents.job(task), tasks, self.documents.needed(task))
        produced = [self.rendering.produced(asset.id, (other.result or {})["path"]) for other in done]
        check_made((task.step or "", task.name, made.artifacts) for task, made in zip(done, produced, strict=True))
        self._verify_stored(asset, produced)
        presentation, outputs = build_presentation(produced), outputs_of(produced)
        path = keys.attempt_path(task.generation, task.name, task.attempt)
        profile = self.plugins.profiles[self.documents.job(task).profile or ""]
        written = self.rendering.write(asset.id, path, presentation, profile.manifests)
        downloads, types = Downloads(self.storage).write(asset.id, path, presentation, profile.downloads)
        written_files = replace(written.files, types={**written.files.types, **types})
        presented = (*presentation.video, *presentation.audio)
        on_demand = {r.track.name: len(r.segments) for r in presented if r.foretold is not None}
        found = self.found.collected(asset.id, produced, path)
        publication = Publication(
            generation=task.generation,
            outputs=(*written.outputs, *outputs, *downloads),
            fewer=written.fewer,
            files=(*(made := files_of(produced)), written_files, *_awaited(task.generation, on_demand)),
            duration_seconds=round(presentation.duration_seconds, 3),
            sources=(sources := tuple(source.path for source in produced)),
            lent=tuple(f.prefix.rstrip("/") for f in made if f.prefix.rstrip("/") not in sources),
            renditions=tuple(describe_renditions(presentation, on_demand)),
            warnings=tuple(dict.fromkeys([*_warnings(tasks), *found.warnings])),
            poster_seconds=next((t.result or {} for t in tasks if t.name == "plan"), {}).get("poster_seconds"),
        )
        return {**publication_document(publication), "captions": found.entries}

    def _verify_stored(self, asset: Asset, produced: list[Produced]) -> None:
        """Every artifact is in the storage with its size: a full disk is found here, not by a viewer."""
        prefix = keys.asset_prefix(asset.id)
        directories = [files.prefix for files in files_of(produced)]
        stored = {i.key: i.size_bytes for directory in directories for i in self.storage.list(prefix + directory)}
        for source in produced:
            for artifact in source.artifacts:
                if stored.get(prefix + source.place(artifact)) != artifact.size_bytes:
                    raise TaskFailed(
                        f"{artifact.path} is not in the storage as it was made.", code="storage.lost_object"
                    )

    def publish(self, task: Task, _lease: Lease) -> dict[str, Any]:
        """Point the asset at the new generation: one compare-and-set, only forward, and only while the job holds it.

        What the generation before shows is not taken away from those who watch it: its files go later. Captions and
        picture are those of this moment: who changes them meanwhile makes this try again, or sees the new generation.
        LeaseLost when the asset was deleted or taken from the job: what published nothing is not done.
        """
        tasks = self.jobs.tasks(task.job_id)
        package = next(t for t in tasks if t.name == "package")
        watched = task.generation > 1 or any(_opens(t) for t in tasks)
        packaged = publication_of(package.result or {})
        listed, profile = (package.result or {}).get("captions", []), self.documents.job(task).profile

        def attempt() -> dict[str, Any] | None:
            asset = self.database.assets.get(task.asset_id)
            if asset is None or asset.deleted_at is not None:
                raise LeaseLost("the asset was deleted")
            published, path = packaged, None
            changes = self.found.changes(asset, listed)
            if captions := changes.get("captions", asset.captions):
                now = self.database.now()
                published, path = self.rendering.captioned(asset.id, packaged, captions, now)
            wish = _wished_original(self.plugins.profiles.get(profile or ""), asset)
            done = self._published(task, asset, published, changes | wish, sweeps=watched)
            self.found.tidy(asset, changes)
            if done:
                self._catch_up(task)
                return {}
            self.rendering.discard(asset.id, path)
            return None

        return until_done(attempt, kept_busy)

    def _published(
        self, task: Task, seen: Asset, published: Publication, captions: dict[str, Any], *, sweeps: bool
    ) -> bool:
        """False when the asset was changed since it was seen, and may still be published to. `captions` are changes of
        them that belong to it. `sweeps`: something else than this was watched, or might have been, and goes later.
        """
        job, now = self.documents.job(task), self.database.now()
        media = told_of(job.media or {})
        until = self.rendering.watched_until(published, now)
        changes = {
            "generation": task.generation,
            # who began before all was made goes on with it
            "published": published.following(seen.shown, now=now, until=until),
            "opened": None,
            "state": "ready",
            "playable": True,
            "profile": job.profile,
            "media": {**media, "warnings": [*media.get("warnings", []), *published.warnings]},
            "duration_seconds": published.duration_seconds,
            "error": None,
            "updated_at": now,
            "sweep_at": until if sweeps else None,
            **captions,
        }
        expect = {
            "job_id": task.job_id,
            "state": "processing",
            "generation": Below(task.generation),
            "deleted_at": None,
        }
        ready = Event("asset.ready", now, seen.owner, seen.id, task.job_id, {"generation": task.generation})
        told = [ready, *_captioned(task, seen, captions, now)]
        asset = self.jobs.outbox.change(self.database.assets, task.asset_id, expect | {"rev": seen.rev}, changes, *told)
        if asset is None:
            return self.database.assets.count(expect | {"id": task.asset_id}) == 0 and self._is_there(task)
        if task.generation == 1:
            self.metrics.observe("mediaflow_asset_ready_seconds", now - asset.created_at)
            if not seen.playable:
                self.metrics.observe("mediaflow_asset_playable_seconds", now - asset.created_at)
        return True

    def _is_there(self, task: Task) -> bool:
        """True when an earlier attempt has published; LeaseLost when it did not, and this one may not any more."""
        facts = self.database.assets.peek(task.asset_id, ("generation",))
        if facts is None or facts["generation"] < task.generation:
            raise LeaseLost("the asset is not this job's any more")
        return True

    def _catch_up(self, task: Task) -> None:
        """Begin what was wished for since the job was planned."""
        asset = self.database.assets.get(task.asset_id)
        if asset is not None and asset.generation == task.generation:
            self.posters.catch_up(asset)
            Recopying(self.database, self.jobs).catch_up(asset, self.documents.job(task))


def _wished_original(profile: Profile | None, asset: Asset) -> dict[str, Any]:
    """Where the profile has an original brought that lies in the storage; a linked one stays where it is."""
    if profile is None or profile.original == "keep" or original_state(asset) != "stored":
        return {}
    return {"original_wanted": "archived" if profile.original == "archive" else "deleted"}


def _opens(task: Task) -> bool:
    """True for what is needed only while the rest is made."""
    return task.rank == 0 or task.stage == "open"


def _captioned(task: Task, seen: Asset, captions: dict[str, Any], now: float) -> list[Event]:
    """The event of captions that are others now."""
    if captions.get("captions", seen.captions) == seen.captions:
        return []
    languages = {"languages": [caption["language"] for caption in captions["captions"]]}
    return [Event("asset.captioned", now, seen.owner, seen.id, task.job_id, languages)]


def _warnings(tasks: Iterable[Task]) -> Iterator[str]:
    """What steps said that is left out, and which of them are left out themselves."""
    for task in tasks:
        if task.optional and task.state == "failed" and not _opens(task):
            yield _left_out(task)
        yield from (task.result or {}).get("warnings", ()) if task.stage == "step" else ()


def _left_out(task: Task) -> str:
    """A sentence for owners about what could not be made and is not needed."""
    return f"{task.name} is left out: {(task.error or {}).get('detail', 'it could not be made')}"


def _awaited(generation: int, on_demand: dict[str, int]) -> tuple[Files, ...]:
    """The addresses of what is made where it is watched."""
    return (Files(keys.tracks_path(generation), {}, awaited=on_demand),) if on_demand else ()
