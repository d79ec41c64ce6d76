"""What is encoded in a simulation: sources of a few bytes, steps that take virtual time, a format of one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from random import Random
from typing import Any, Final

from mediaflow.domain import keys
from mediaflow.domain.errors import LeaseLost, MediaRejected, Problem, TaskFailed
from mediaflow.domain.events import Event
from mediaflow.domain.media import MediaInfo, VideoStream
from mediaflow.domain.presentation import Artifact, Foretold, Manifest, Presentation, Track
from mediaflow.domain.profile import Profile, Rung, StepSpec
from mediaflow.domain.publication import ARTIFACTS
from mediaflow.domain.records import Task
from mediaflow.plugin import MediaContext, Part, PlannedTask, StepTask, UploadDraft, Workspace
from mediaflow.plugin.wire import dump
from mediaflow.services.pipeline.lease import Lease
from mediaflow.services.pipeline.parts import REST
from mediaflow.services.pipeline.planning import Planning
from mediaflow.services.pipeline.posters import STEP as PICTURE
from mediaflow.services.pipeline.segments import Segments, as_kept
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


SEGMENTS: Final = 3
"""Of what is watched while it is made."""
TOLD: Final = Foretold(((SEGMENTS, 2.0),), 100_000, 90_000)
IN_PARTS: Final = ("90p", "45p")
ON_DEMAND: Final = ("180p",)
SECONDS: Final = 12.0
COUNTS: Final = {"90p": 6, "45p": 6, "180p": 40}
"""Segments of each track, where they are made in parts; many where viewers choose, so that they want too many."""


def media_of(source: bytes) -> MediaInfo:
    """What probing finds."""
    stream = VideoStream(0, "h264", 160, 90, Fraction(1), 0, Fraction(25), 50, 0.0, 2.0, "yuv420p", "progressive")
    container = "none" if source.startswith(REFUSED) else "mov"
    return MediaInfo("video", container, len(source), 2.0, 2.0, 0.0, 1, stream)


@dataclass(frozen=True)
class TinyStep:
    """Plans one task, and one that opens where that is asked for. Its work is `Hands.step`."""

    name: str
    opens: bool = False
    parts: bool = False

    def check(self, params: Mapping[str, Any]) -> Iterable[str]:
        return ()

    def plan(self, media: MediaInfo, spec: StepSpec, profile: Profile) -> Sequence[PlannedTask]:
        task = self.name.replace(".", "-")
        if self.parts:
            return self._in_parts(task, profile)
        if self.opens:
            return [PlannedTask("first", optional=True, rank=0), PlannedTask(task, rank=1)]
        return [PlannedTask(task, dict(spec.params), optional=self.name == OPTIONAL, load_units=1)]

    def _in_parts(self, name: str, profile: Profile) -> list[PlannedTask]:
        first = [PlannedTask("first", optional=True, rank=0)] if self.opens else []
        planned = PlannedTask(name, makes=IN_PARTS, segments=6, weight=25.0, rank=1 if self.opens else REST)
        later = PlannedTask(f"{name}-high", makes=ON_DEMAND, segments=40, weight=200.0, when="on_demand")
        return [*first, planned, *([later] if makes_on_demand(profile.name) else [])]

    def run(self, task: StepTask, workspace: Workspace) -> Sequence[Artifact]:
        raise NotImplementedError("a simulation has no children")


def makes_on_demand(profile: str | None) -> bool:
    """True for a profile of which a track is made where it is watched."""
    return profile == "one"


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
    opens: bool = False
    parts: bool = False
    steps: dict[str, Any] = field(init=False)
    manifests: Mapping[str, Any] = field(default_factory=lambda: {"tiny": TinyFormat()})
    profiles: Mapping[str, Profile] = field(default_factory=lambda: PROFILES)

    def __post_init__(self) -> None:
        self.steps = {n: TinyStep(n) for n in (OPTIONAL, PICTURE)}
        self.steps[VIDEO] = TinyStep(VIDEO, opens=self.opens, parts=self.parts)

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
    segments: Segments
    sleep: Callable[[float], None]
    rng: Random
    parts: bool = False

    def probe(self, task: Task, lease: Lease) -> dict[str, Any]:
        """Look at the source for a while."""
        asset, job = self.documents.asset(task), self.documents.job(task)
        self._work(self.rng.choice((0.1, 1.0)), lease)
        self.planning.probed(asset, job, media_of(b"".join(self.storage.read(original_of(asset)))))
        return {}

    def step(self, task: Task, lease: Lease) -> dict[str, Any]:
        """Work for a while and keep what was made, under this attempt's own path, as `Stepping` does."""
        asset = self.documents.asset(task)
        is_long = task.rank == REST and task.part is None
        self._work(self.rng.choice((0.5, 2.0, 8.0, 45.0, 80.0) if is_long else (0.5, 2.0, 8.0)), lease)
        path = keys.attempt_path(task.generation, task.name, task.attempt)
        if self.rng.random() < 0.03:
            raise TaskFailed("The step failed this time.", code="job.step_failed")
        if self.rng.random() < 0.01:
            raise MediaRejected("The step found the source at fault.")
        artifacts = list(self._made(task, path, lease))
        artifacts += self.segments.of_others(task, artifacts)
        index = json.dumps(artifacts, separators=(",", ":")).encode()
        key = f"{keys.asset_prefix(asset.id)}{path}/{ARTIFACTS}"
        self.storage.put(key, [index], size_bytes=len(index), content_type="application/json")
        return {"path": path, "artifacts": len(artifacts), "bytes": 0}

    def _made(self, task: Task, path: str, lease: Lease) -> Iterator[dict[str, Any]]:
        """What is kept, one after the other, until others have made the rest."""
        for artifact in _made_by(task, self.segments.to_make(task), self.parts):
            yield (kept := self._kept(task, path, artifact, lease))
            is_late = task.part is not None and artifact.number is not None and "at" in kept
            if is_late and self.segments.are_made(task, artifact.number or 0):
                return

    def _kept(self, task: Task, path: str, artifact: Artifact, lease: Lease) -> dict[str, Any]:
        """Keep a file, at once where it is watched, as `Keeping` does. No two encoders write the same bytes."""
        self._stop_if_lost(lease)
        body, place = artifact.path.encode(), f"{path}/{artifact.path}"
        is_recorded = task.watched or task.rank != REST
        if is_recorded and not (self.parts and artifact.role == "init"):
            body = body[:-1] + bytes([self.rng.randrange(256)])
            self._work(self.rng.choice((0.1, 1.0, 5.0)), lease)

        def put(path: str) -> None:
            key = keys.asset_prefix(task.asset_id) + path
            self.storage.put(key, [body], size_bytes=len(body), content_type=artifact.content_type)

        if not is_recorded:
            put(place)
            return dict(dump(artifact))
        return {**dump(artifact), **as_kept(artifact, place, self.segments.keep(task, place, artifact, put))}

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


def _made_by(task: Task, part: Part | None, in_parts: bool) -> list[Artifact]:
    def made(path: str, role: Any, kind: str, **fields: Any) -> Artifact:
        return Artifact(path, role, kind, len(path), **fields)

    def segment(track: str, number: int) -> Artifact:
        path = f"{track}/{number}.m4s"
        seconds = SECONDS / COUNTS[track] if in_parts else 2.0
        return made(path, "segment", "video/mp4", track=track, number=number, duration_seconds=seconds)

    if task.step == PICTURE:
        return [made("thumbnail.jpg", "thumbnail", "image/jpeg")]
    if task.step == OPTIONAL:
        return [made("sound.ogg", "download", "audio/ogg")]
    if in_parts:
        tracks, numbers = (IN_PARTS, range(1)) if part is None else (part.tracks, _numbers(part))
        is_told = part is not None or task.rank == 0
        inits = [
            made(
                f"{name}/init.mp4",
                "init",
                "video/mp4",
                describes=replace(TRACK, name=name),
                foretells=Foretold(((COUNTS[name], SECONDS / COUNTS[name]),), 100_000, 90_000) if is_told else None,
            )
            for name in tracks
        ]
        return inits + [segment(name, number) for number in numbers for name in tracks]
    count = 1 if task.rank in (0, REST) else SEGMENTS
    told = TOLD if task.rank == 0 else None
    init = made("90p/init.mp4", "init", "video/mp4", describes=TRACK, foretells=told)
    return [init, *(segment("90p", number) for number in range(count))]


def _numbers(part: Part) -> range:
    return range(part.first, part.first + part.count)
