"""A rendition that another task made, as a file that can be decoded."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mediaflow.plugin import MediaInfo, PlannedTask, Profile, Workspace, plan_encode
from mediaflow_ffmpeg.video import H264Video


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
        return joined(self.some.with_name("all.mp4"), (self.init, *self.segments))


@dataclass(frozen=True, slots=True)
class WholeTrack:
    """A track from its beginning on: its init segment, and its segments in order with their lengths."""

    init: Path
    segments: Sequence[tuple[Path, float]]


def track_of(workspace: Workspace, track: str) -> WholeTrack | None:
    """The track among what the task needs. None when it is not there, or not from its beginning on."""
    init: Path | None = None
    found: dict[int, tuple[Path, float]] = {}
    for files in workspace.inputs.values():
        for artifact in files.artifacts:
            if artifact.role == "init" and artifact.describes is not None and artifact.describes.name == track:
                init = files.path(artifact)
            elif artifact.role == "segment" and artifact.track == track and artifact.number is not None:
                found[artifact.number] = (files.path(artifact), artifact.duration_seconds or 0.0)
    if init is None or sorted(found) != list(range(len(found))) or not found:
        return None
    return WholeTrack(init, [found[number] for number in range(len(found))])


def smallest_rendition(media: MediaInfo, profile: Profile) -> tuple[str | None, tuple[str, ...]]:
    """The smallest rendition of `video.h264` and the tasks that make it; None where the profile has none."""
    return next(iter(_renditions(media, profile)), (None, ()))


def soonest_rendition(media: MediaInfo, profile: Profile) -> tuple[str | None, tuple[str, ...]]:
    """The same of the one that is there first: one that is copied, while the others are encoded; else the smallest."""
    ranks = {task.name: task.rank for task in _tasks(media, profile)}
    found = _renditions(media, profile)
    return min(found, key=lambda track: max(ranks[need] for need in track[1]), default=(None, ()))


def _renditions(media: MediaInfo, profile: Profile) -> list[tuple[str, tuple[str, ...]]]:
    """Those that are made whoever asks, with the tasks that make them, smallest first."""
    tasks = _tasks(media, profile)
    made = ((r.name, tuple(t.name for t in tasks if r.name in t.makes)) for r in plan_encode(media, profile).video)
    return [(track, needs) for track, needs in reversed([*made]) if needs]


def _tasks(media: MediaInfo, profile: Profile) -> list[PlannedTask]:
    """Those of `video.h264` that make more than an opening."""
    spec = next((spec for spec in profile.steps if spec.step == H264Video.name), None)
    planned = H264Video().plan(media, spec, profile) if spec is not None else ()
    return [task for task in planned if task.rank > 0 and task.when == "eager"]


def joined_segments(workspace: Workspace, track: str, every_seconds: float, count: int) -> Joined | None:
    """The track among what the task needs, as `track_of` finds it."""
    whole = track_of(workspace, track)
    if whole is None:
        return None
    chosen = first_in_each([seconds for _, seconds in whole.segments], every_seconds, count)
    segments = [file for file, _ in whole.segments]
    some = joined(workspace.directory / "some.mp4", (whole.init, *(segments[number] for number in chosen)))
    return Joined(some, whole.init, segments)


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


def joined(target: Path, files: Sequence[Path]) -> Path:
    """The files one after the other."""
    with target.open("wb") as out:
        for file in files:
            with file.open("rb") as part:
                shutil.copyfileobj(part, out)
    return target
