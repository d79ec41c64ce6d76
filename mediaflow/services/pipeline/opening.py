"""The stage that lets viewers begin: what the opening tasks foretell becomes a presentation before it is made.

Its playlists are complete from the first moment; segments are watched as they are made, under addresses that tell
neither attempt nor place. Publishing takes its place later, and who began here goes on here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from mediaflow.domain import keys
from mediaflow.domain.errors import TaskFailed
from mediaflow.domain.events import Event
from mediaflow.domain.presentation import Presentation, Rendition
from mediaflow.domain.publication import Files, Publication
from mediaflow.domain.records import Asset, Task
from mediaflow.services.pipeline.lease import Lease
from mediaflow.services.pipeline.madefiles import MOST_FORETOLD
from mediaflow.services.pipeline.packaging import (
    Produced,
    describe_renditions,
    foretold_rendition,
    presentation_of,
    sounds_of,
)
from mediaflow.services.pipeline.rendering import Rendering
from mediaflow.services.pipeline.taskdocs import TaskDocuments
from mediaflow.services.ports import Database, Metrics, Outbox, Plugins

MOST_TOGETHER: Final = 4 * MOST_FORETOLD
"""All sizes and bit rates of a day, in segments of 4 s."""
LIVELY: Final = 0.35
"""Of the cores: so much may take what is offered while it is made. The rest of a film is being made on them too."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Opens assets whose first generation is being made."""

    database: Database
    documents: TaskDocuments
    plugins: Plugins
    outbox: Outbox
    rendering: Rendering
    metrics: Metrics
    cores: int = 1

    def open(self, task: Task, _lease: Lease) -> dict[str, Any]:
        """Let viewers begin, unless not all that they need is foretold; then they wait until it is published."""
        asset, media, job = self.documents.asset(task), self.documents.media(task), self.documents.job(task)
        done = self.documents.needed(task)
        produced = (self.rendering.produced(asset.id, (each.result or {})["path"]) for each in done)
        on_demand = [name for each in job.recipes if each["when"] == "on_demand" for name in each["tracks"]]
        presentation = lively(foretold(task.generation, produced), self.cores, on_demand)
        if (
            len(done) < len(task.needs)
            or (media.video is not None and not presentation.video)
            or (media.audio is not None and not presentation.audio)
        ):
            return {"opened": False}
        path = keys.attempt_path(task.generation, task.name, task.attempt)
        formats = self.plugins.profiles[job.profile or ""].manifests
        written = self.rendering.write(asset.id, path, presentation, formats)
        awaited = {r.track.name: len(r.segments) for r in (*presentation.video, *presentation.audio)}
        publication = Publication(
            generation=task.generation,
            outputs=tuple(written.outputs),
            fewer=written.fewer,
            files=(written.files, Files(keys.tracks_path(task.generation), {}, awaited=awaited)),
            duration_seconds=round(presentation.duration_seconds, 3),
            renditions=tuple(describe_renditions(presentation, on_demand)),
            sounds=sounds_of(presentation),
        )
        return {"opened": self._opened(task, asset, publication)}

    def _opened(self, task: Task, seen: Asset, publication: Publication) -> bool:
        now = self.database.now()
        changes = {
            "opened": publication,
            "playable": True,
            "duration_seconds": publication.duration_seconds,
            "updated_at": now,
        }
        expect = {"job_id": task.job_id, "state": "processing", "generation": 0, "deleted_at": None, "playable": False}
        told = Event("asset.playable", now, seen.owner, seen.id, task.job_id, {"generation": task.generation})
        if self.outbox.change(self.database.assets, task.asset_id, expect, changes, told) is None:
            return False
        self.metrics.observe("mediaflow_asset_playable_seconds", now - seen.created_at)
        return True


def lively(presentation: Presentation, cores: int, on_demand: Collection[str] = ()) -> Presentation:
    """The same with the smallest picture, those that are made faster than they are watched, beside all the rest, and
    those that are made `on_demand`: nobody else makes them.

    Measured: with 1080p offered on two cores, players that went up to it stood still for 6 to 12 s of 30.
    """
    video = presentation.video
    offered = [
        r for r in video[:-1] if r.foretold is None or r.foretold.cost <= LIVELY * cores or r.track.name in on_demand
    ]
    return replace(presentation, video=(*offered, *video[-1:]))


def foretold(generation: int, produced: Iterable[Produced]) -> Presentation:
    """The tracks that init segments foretell, each with all its segments at their addresses. TaskFailed for more than
    fit: this process writes down what a step's child only claims.
    """
    found: dict[str, Rendition] = {}
    left = MOST_TOGETHER
    for source in produced:
        firsts = {artifact.track: artifact for artifact in source.artifacts if artifact.role == "segment"}
        for artifact in source.artifacts:
            if artifact.describes is not None and artifact.foretells is not None:
                left -= artifact.foretells.segment_count
                if left < 0:
                    raise TaskFailed(
                        f"More than {MOST_TOGETHER} segments are foretold; the asset is shown when it is made.",
                        code="job.step_broken",
                    )
                first = firsts.get(artifact.describes.name, artifact)
                rendition = foretold_rendition(artifact.describes, generation, artifact.foretells, artifact, first)
                found.setdefault(artifact.describes.name, rendition)
    return presentation_of(found.values())
