"""What an asset's documents name of the objects below its prefix. What nothing names is garbage, when it is old.

Whatever is written is named before: attempts by a running task, originals by a blob, uploads by their record. Only
captions are written first; so garbage is never taken for it before it is old.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mediaflow.domain import keys
from mediaflow.domain.madesegments import MadeSegment
from mediaflow.domain.records import Asset, Task
from mediaflow.domain.states import UploadState
from mediaflow.services.ports import Database, OneOf

ARRIVING: tuple[UploadState, ...] = ("initialized", "receiving", "assembling", "stored")
"""States in which an upload's own object may be there, or come."""


@dataclass(slots=True)
class Names:
    """The names of one asset, as its document is. Tasks are looked up when they matter."""

    database: Database
    asset: Asset
    now: float
    _attempts: set[str] | None = field(default=None)
    _recorded: list[MadeSegment] | None = field(default=None)

    def has(self, path: str) -> bool:
        """True for an object (`g1/video-0.1/init.mp4`) that somebody needs, or is making."""
        asset, published = self.asset, self.asset.shown
        if path == asset.picture or any(path == caption.get("path") for caption in asset.captions):
            return True
        if published is not None:
            if any(path == output.path for output in published.outputs) or published.uses(path):
                return True
            earlier = (files for files in published.earlier if files.until is None or files.until > self.now)
            if any(files.holds(path) for files in earlier):
                return True
        return unit_of(path) in self._being_made()

    def _being_made(self) -> set[str]:
        """The directories of attempts that unfinished jobs have made or are making, or that are watched in part."""
        if self._attempts is None:
            where = {"asset_id": self.asset.id, "state": OneOf(("pending", "running"))}
            jobs = self.database.jobs.find(where)
            tasks = [task for job in jobs for task in self.database.tasks.find({"job_id": job.id})]
            self._attempts = {_directory(task) for task in tasks if task.state in ("running", "done")}
            self._attempts |= {unit_of(made.path) for made in self.recorded() if is_needed(self.asset, made, self.now)}
        return self._attempts

    def recorded(self) -> list[MadeSegment]:
        """The records of its segments."""
        if self._recorded is None:
            self._recorded = self.database.segments.find({"asset_id": self.asset.id})
        return self._recorded

    def made_on_demand(self) -> list[MadeSegment]:
        """Segments of what is published that nothing but their records tells of."""
        published = self.asset.published
        if published is None or not published.awaited:
            return []
        generation = self.asset.generation
        return [m for m in self.recorded() if not m.eager and m.generation == generation and m.number >= 0]


def is_needed(asset: Asset, made: MadeSegment, now: float) -> bool:
    """True for the record of a segment that can be asked for, or is of the generation that is being made."""
    if asset.state == "processing" and asset.next_generation == made.generation:
        return True
    shown, tracks = asset.shown, keys.tracks_path(made.generation)
    return shown is not None and any(
        files.prefix == tracks and made.track in files.awaited and (files.until is None or files.until > now)
        for files in (*shown.files, *shown.earlier)
    )


def unit_of(path: str) -> str:
    """What is named or garbage as a whole: the directory of an attempt (`g1/video-0.1/`), or the file itself."""
    if keys.generation_of(path) is None or path.count("/") < 2:
        return path
    generation, attempt, _ = path.split("/", 2)
    return f"{generation}/{attempt}/"


def _directory(task: Task) -> str:
    return keys.attempt_path(task.generation, task.name, task.attempt) + "/"
