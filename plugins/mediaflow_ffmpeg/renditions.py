"""A rendition that another task made, as a file that can be decoded."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mediaflow.plugin import Artifact, Workspace


@dataclass(frozen=True, slots=True)
class Joined:
    """Segments behind their init segment, in one file: `some` of them, enough to have one that begins in each interval
    if there are so many; or all.
    """

    some: Path
    init: Path
    segments: Sequence[Path]

    def all_of_it(self) -> Path:
        """The file with all of them."""
        return _joined(self.some.with_name("all.mp4"), (self.init, *self.segments))


def joined_segments(workspace: Workspace, track: str, every_seconds: float, count: int) -> Joined | None:
    """The track among what the task needs. None when it is not there, or not from its beginning on."""
    init: Path | None = None
    found: dict[int, tuple[Path, Artifact]] = {}
    for files in workspace.inputs.values():
        for artifact in files.artifacts:
            if artifact.role == "init" and artifact.describes is not None and artifact.describes.name == track:
                init = files.path(artifact)
            elif artifact.role == "segment" and artifact.track == track and artifact.number is not None:
                found[artifact.number] = (files.path(artifact), artifact)
    if init is None or sorted(found) != list(range(len(found))) or not found:
        return None
    ordered = [found[number] for number in range(len(found))]
    lengths = [artifact.duration_seconds or 0.0 for _, artifact in ordered]
    chosen = first_in_each(lengths, every_seconds, count)
    segments = [file for file, _ in ordered]
    some = _joined(workspace.directory / "some.mp4", (init, *(segments[number] for number in chosen)))
    return Joined(some, init, segments)


def first_in_each(lengths: Sequence[float], every_seconds: float, count: int) -> list[int]:
    """The first segments that begin in each interval, if there is one in all of them, else all segments. Segments begin
    with a key frame.
    """
    first: dict[int, int] = {}
    begin = 0.0
    for number, length in enumerate(lengths):
        # cut to the microsecond: lengths are sums of frames
        first.setdefault(int(round(begin, 6) // every_seconds), number)
        begin += length
    if all(interval in first for interval in range(count)):
        return [first[interval] for interval in range(count)]
    return list(range(len(lengths)))


def _joined(target: Path, files: Sequence[Path]) -> Path:
    with target.open("wb") as out:
        for file in files:
            with file.open("rb") as part:
                shutil.copyfileobj(part, out)
    return target
