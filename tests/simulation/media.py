"""What is encoded in a simulation: sources of a few bytes, steps that take virtual time, a format of one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random
from typing import Any, Final

from mediaflow.domain import keys
from mediaflow.domain.errors import LeaseLost, MediaRejected, Problem, TaskFailed
from mediaflow.domain.events import Event
from mediaflow.domain.media import MediaInfo, VideoStream
from mediaflow.domain.presentation import Artifact, Manifest, Presentation, Track
from mediaflow.domain.profile import Profile, Rung, StepSpec
from mediaflow.domain.publication import ARTIFACTS
from mediaflow.domain.records import Task
from mediaflow.plugin import MediaContext, PlannedTask, StepTask, UploadDraft, Workspace
from mediaflow.plugin.wire import dump
from mediaflow.services.pipeline.lease import Lease
from mediaflow.services.pipeline.planning import Planning
from mediaflow.services.pipeline.posters import STEP as PICTURE
from mediaflow.services.pipeline.taskdocs import TaskDocuments, original_of

VIDEO: Final = "video.tiny"
OPTIONAL: Final = "sound.tiny"
REFUSED: Final = b"no film"
"""A source that begins so is refused after probing."""
TRACK: Final = Track("90p", "video", "avc1.64000a", 12800, width=160, height=90, frame_rate=Fraction(25))


def _profile(name: str, *steps: str) -> Profile:
    return Profile(name, "", 2.0, 60, (Rung("90p", 90, 100_000, 64_000),), tuple(map(StepSpec, steps)), ("tiny",))


PROFILES: Final = {
    "one": _profile("one", VIDEO),
    "two": _profile("two", VIDEO, OPTIONAL, PICTURE),
}


def media_of(source: bytes) -> MediaInfo:
    """What probing finds."""
    stream = VideoStream(0, "h264", 160, 90, Fraction(1), 0, Fraction(25), 50, 0.0, 2.0, "yuv420p", "progressive")
    container = "none" if source.startswith(REFUSED) else "mov"
    return MediaInfo("video", container, len(source), 2.0, 2.0, 0.0, 1, stream)


@dataclass(frozen=True)
class TinyStep:
    """Plans one task. Its work is `Hands.step`."""

    name: str

    def check(self, params: Mapping[str, Any]) -> Iterable[str]:
        return ()

    def plan(self, media: MediaInfo, spec: StepSpec, profile: Profile) -> Sequence[PlannedTask]:
        task = self.name.replace(".", "-")
        return [PlannedTask(task, dict(spec.params), optional=self.name == OPTIONAL, load_units=1)]

    def run(self, task: StepTask, workspace: Workspace) -> Sequence[Artifact]:
        raise NotImplementedError("a simulation has no children")


@dataclass(frozen=True)
class TinyFormat:
    """A manifest of one line a segment."""

    name: str = "tiny"

    def render(self, presentation: Presentation) -> Sequence[Manifest]:
        lines = [segment.uri for rendition in presentation.video for segment in rendition.segments]
        lines += [track.segments[0].uri for track in presentation.text]
        return [Manifest("all.tiny", "application/x-tiny", "\n".join(lines), entry=True)]


@dataclass
class TinyPlugins:
    """What plugins offer here. `tell` hears of every event."""

    tell: Callable[[Event], None] = lambda _event: None
    steps: Mapping[str, Any] = field(default_factory=lambda: {n: TinyStep(n) for n in (VIDEO, OPTIONAL, PICTURE)})
    manifests: Mapping[str, Any] = field(default_factory=lambda: {"tiny": TinyFormat()})
    profiles: Mapping[str, Profile] = field(default_factory=lambda: PROFILES)

    def publish_event(self, event: Event) -> None:
        self.tell(event)

    def entry_point_of_step(self, step: str) -> str:
        return "tiny"

    def plugin_of_manifest(self, name: str) -> str:
        return "tiny"

    def validate_upload(self, upload: UploadDraft) -> list[Problem]:
        return []

    def validate_media(self, media: MediaInfo, upload: UploadDraft) -> list[Problem]:
        return [] if media.container == "mov" else [Problem("media.unsupported", "no film at all")]

    def choose_profile(self, media: MediaInfo, upload: UploadDraft) -> str | None:
        return None

    def context(self) -> MediaContext:
        return MediaContext({})


@dataclass(frozen=True)
class Hands:
    """The stages that a simulation does in its own way: probing and steps, which run no program here."""

    documents: TaskDocuments
    planning: Planning
    storage: Any
    sleep: Callable[[float], None]
    rng: Random

    def probe(self, task: Task, lease: Lease) -> dict[str, Any]:
        """Look at the source for a while."""
        asset, job = self.documents.asset(task), self.documents.job(task)
        self._work(self.rng.choice((0.1, 1.0)), lease)
        self.planning.probed(asset, job, media_of(b"".join(self.storage.read(original_of(asset)))))
        return {}

    def step(self, task: Task, lease: Lease) -> dict[str, Any]:
        """Work for a while and keep what was made, under this attempt's own path, as `Stepping` does."""
        asset = self.documents.asset(task)
        self._work(self.rng.choice((0.5, 2.0, 8.0, 45.0, 80.0)), lease)
        path = keys.attempt_path(task.generation, task.name, task.attempt)
        if self.rng.random() < 0.03:
            raise TaskFailed("The step failed this time.", code="job.step_failed")
        if self.rng.random() < 0.01:
            raise MediaRejected("The step found the source at fault.")
        artifacts = [dump(artifact) for artifact in _made_by(task)]
        for artifact in artifacts:
            self._stop_if_lost(lease)
            body = artifact["path"].encode()
            key = f"{keys.asset_prefix(asset.id)}{path}/{artifact['path']}"
            self.storage.put(key, [body], size_bytes=len(body), content_type=artifact["content_type"])
        index = json.dumps(artifacts, separators=(",", ":")).encode()
        key = f"{keys.asset_prefix(asset.id)}{path}/{ARTIFACTS}"
        self.storage.put(key, [index], size_bytes=len(index), content_type="application/json")
        return {"path": path, "artifacts": len(artifacts), "bytes": 0}

    def _work(self, seconds: float, lease: Lease) -> None:
        while seconds > 0:
            self._stop_if_lost(lease)
            self.sleep(min(seconds, 3.0))
            seconds -= 3.0
            lease.progress(lease.fraction + 0.1)
        self._stop_if_lost(lease)

    def _stop_if_lost(self, lease: Lease) -> None:
        if (reason := lease.reason()) is not None:
            raise LeaseLost(reason)


def _made_by(task: Task) -> list[Artifact]:
    def made(path: str, role: Any, kind: str, **fields: Any) -> Artifact:
        return Artifact(path, role, kind, len(path), **fields)

    if task.step == PICTURE:
        return [made("thumbnail.jpg", "thumbnail", "image/jpeg")]
    if task.step == OPTIONAL:
        return [made("sound.ogg", "download", "audio/ogg")]
    segment = made("90p/0.m4s", "segment", "video/mp4", track="90p", number=0, duration_seconds=2.0)
    return [made("90p/init.mp4", "init", "video/mp4", describes=TRACK), segment]
