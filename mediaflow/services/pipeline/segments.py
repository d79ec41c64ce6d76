"""Segments that are watched while others are still being made: kept one by one, the first of each number wins.

Several attempts, and several tasks of a step, may make one segment. Its record is inserted after its object is stored
and before anybody learns of it; whoever comes second keeps nothing, and tells of the first one's object. So what has
been watched never changes, whatever dies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mediaflow.domain import keys
from mediaflow.domain.errors import TaskFailed
from mediaflow.domain.ids import segment_id, task_id
from mediaflow.domain.madesegments import MadeSegment
from mediaflow.domain.presentation import Artifact
from mediaflow.domain.records import Task
from mediaflow.plugin import Part, Storage
from mediaflow.plugin.wire import dump, load
from mediaflow.services.ports import Below, Between, Database

INIT = -1
"""The number of a track's init segment."""
BATCH = 500


@dataclass(frozen=True, slots=True)
class Segments:
    """The records of segments of generations that are being made."""

    database: Database
    storage: Storage

    def keep(self, task: Task, path: str, artifact: Artifact, put: Callable[[str], None]) -> MadeSegment | None:
        """Keep a segment of a task's attempt. `path` is its own place below the asset's prefix; `put` stores it there.

        The answer is the one that counts, which may be another's; None for what is no segment: that is just stored.
        TaskFailed (`job.name_taken`) when another step made that segment: it would be shown, and published, as this
        one's.
        """
        track, number = _numbered(artifact)
        if track is None:
            put(path)
            return None
        known = self.database.segments.get(segment_id(task.asset_id, task.generation, track, number))
        if known is not None:
            self._check_maker(task, known)
            return known
        put(path)
        made = MadeSegment(
            id=segment_id(task.asset_id, task.generation, track, number),
            asset_id=task.asset_id,
            generation=task.generation,
            track=track,
            number=number,
            path=path,
            content_type=artifact.content_type,
            size_bytes=artifact.size_bytes,
            duration_seconds=artifact.duration_seconds or 0.0,
            created_at=self.database.now(),
            eager=task.eager,
        )
        if self.database.segments.insert(made):
            return made
        winner = self.database.segments.get(made.id)
        if winner is None:  # its generation was swept meanwhile: nobody needs either
            return made
        if winner.path != path:
            self.storage.delete(keys.asset_prefix(task.asset_id) + path)
        self._check_maker(task, winner)
        return winner

    def _check_maker(self, task: Task, made: MadeSegment) -> None:
        name = keys.attempt_task(made.path)
        other = None if name == task.name else self.database.tasks.get(task_id(task.job_id, name))
        if other is not None and other.step != task.step:
            number = "the init segment" if made.number == INIT else f"segment {made.number}"
            raise TaskFailed(
                f"The steps {other.step!r} and {task.step!r} both make {number} of {made.track!r}: take one of them out"
                " of the profile, or use a version of the plugin that puts its codec into the names (`720p-av1`).",
                code="job.name_taken",
            )

    def of_part(self, task: Task, since: int = 0) -> dict[tuple[str, int], MadeSegment]:
        """Those of a task's part, or of what follows in it, that are made: by track and number."""
        part = load(Part, task.part)
        of_track = {"asset_id": task.asset_id, "generation": task.generation}
        numbers = Between(max(part.first, since), part.first + part.count)
        return {
            (made.track, made.number): made
            for track in part.tracks
            for made in self.database.segments.find({**of_track, "track": track, "number": numbers})
        }

    def to_make(self, task: Task) -> Part | None:
        """What of the task's part is still to be made; None for a task that is made whole."""
        if task.part is None or not task.watched:
            return None if task.part is None else load(Part, task.part)
        part, made = load(Part, task.part), self.of_part(task)
        numbers = range(part.first, part.first + part.count)
        missing = [number for number in numbers if any((track, number) not in made for track in part.tracks)]
        return Part(part.tracks, missing[0], missing[-1] + 1 - missing[0]) if missing else replace(part, count=0)

    def of_others(self, task: Task, listed: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """What of the task's part others made and its own attempt does not list, as lists of artifacts tell it."""
        if task.part is None or not task.watched:
            return []
        mine = {(artifact["track"], artifact["number"]) for artifact in listed}
        return [as_listed(made) for which, made in self.of_part(task).items() if which not in mine]

    def are_made(self, task: Task, since: int) -> bool:
        """True when all of a task's part is made, from that number on."""
        part = load(Part, task.part)
        return len(self.of_part(task, since)) == len(part.tracks) * max(0, part.first + part.count - since)

    def forget(self, asset_id: str, before: int, published: int = 0) -> None:
        """Remove the records of all generations before that one; of the published one, nothing else tells of what is
        made on demand.
        """
        old = {"asset_id": asset_id, "generation": Below(before)}
        for where in (
            {**old, "eager": True},
            {**old, "generation": Below(min(before, published))},
            {**old, "generation": Between(published + 1, before)},
        ):
            while found := self.database.segments.find(where, limit=BATCH):
                for each in found:
                    self.database.segments.remove(each.id)


def as_kept(artifact: Artifact, path: str, kept: MadeSegment | None) -> dict[str, Any]:
    """What an attempt's list tells of an artifact, beside what its step says in the end: its size and length as they
    were kept, and where, when that is not its own place.
    """
    if kept is None:
        return {"size_bytes": artifact.size_bytes, "duration_seconds": artifact.duration_seconds}
    length = kept.duration_seconds if artifact.role == "segment" else artifact.duration_seconds
    facts: dict[str, Any] = {"size_bytes": kept.size_bytes, "duration_seconds": length}
    return facts if kept.path == path else {**facts, "at": kept.path}


def as_listed(made: MadeSegment) -> dict[str, Any]:
    """What an attempt's list tells of a segment that another made."""
    artifact = Artifact(
        path=f"{made.track}/{made.path.rpartition('/')[2]}",
        role="segment",
        content_type=made.content_type,
        size_bytes=made.size_bytes,
        track=made.track,
        number=made.number,
        duration_seconds=made.duration_seconds,
    )
    return {**dump(artifact), "at": made.path}


def places_of(listed: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Where those artifacts of a list lie that lie elsewhere, by their paths."""
    return {item["path"]: item["at"] for item in listed if "at" in item}


def _numbered(artifact: Artifact) -> tuple[str | None, int]:
    """Track and number of a segment; of an init segment, too."""
    if artifact.role == "init" and artifact.describes is not None:
        return artifact.describes.name, INIT
    if artifact.role == "segment" and artifact.track is not None and artifact.number is not None:
        return artifact.track, artifact.number
    return None, 0
