"""`image.thumbnail`: one picture of the video, as a viewer would see it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from mediaflow.plugin import (
    Artifact,
    Completed,
    Limits,
    MediaInfo,
    NeedsWholeSource,
    PlannedTask,
    Profile,
    Reads,
    StepSpec,
    StepTask,
    TaskFailed,
    VideoStream,
    Workspace,
    origin_seconds,
)
from mediaflow_ffmpeg.commands import HERE, thumbnail_command
from mediaflow_ffmpeg.encoding import failure
from mediaflow_ffmpeg.looks import FINE, verdict
from mediaflow_ffmpeg.params import Number, problems

FILE_NAME: Final = "thumbnail.jpg"
DEFAULT_MAX_SIDE: Final = 1280
MORE_TRIES: Final = 4
"""Each takes about as long as the first one: 0.2 s."""
_LIMITS: Final = Limits(wall_seconds=120, file_bytes=64 * 1024 * 1024)
_JPEG_MARKS: Final = (b"\xff\xd8\xff", b"\xff\xd9")

PARAMS: Final = (Number("max_side", 16, 4096, whole=True), Number("at_seconds", 0, 86_400))


class Thumbnail:
    """A JPEG whose longer side has at most `max_side` pixels (1280). Optional: a video without one is still a video.

    It shows what a viewer sees `at_seconds` into the presentation; without that, a moment past the opening, or a later
    one where that is black, of one shade or blurred.
    """

    name = "image.thumbnail"

    def check(self, params: Mapping[str, Any]) -> Iterable[str]:
        return problems(params, PARAMS)

    def plan(self, media: MediaInfo, spec: StepSpec, profile: Profile) -> Sequence[PlannedTask]:  # noqa: ARG002
        if media.video is None:
            return []
        size = picture_size(media.video.display_size, spec.params.get("max_side", DEFAULT_MAX_SIDE))
        wished = spec.params.get("at_seconds")
        at = seek_seconds(media, media.video, wished)
        later = later_seconds(media.video, at) if wished is None else []
        params = {"width": size[0], "height": size[1], "at_seconds": at, "later_seconds": later}
        reads = Reads(max(0.0, at), at + 1)
        return [PlannedTask("thumbnail", params, weight=0.5, optional=True, makes=(FILE_NAME,), reads=reads)]

    def run(self, task: StepTask, workspace: Workspace) -> Sequence[Artifact]:
        video = task.media.video
        if video is None:
            raise TaskFailed("A thumbnail was planned for media without video.", code="job.bad_task")
        later = [float(each) for each in task.params.get("later_seconds", [])]
        best: tuple[int, bytes] | None = None
        for at_seconds in (float(task.params["at_seconds"]), *later, None):
            if at_seconds is None and best is not None:
                break
            completed, picture = _taken(task, workspace, at_seconds, looks=bool(later))
            if workspace.partial and (completed.returncode != 0 or picture is None):
                raise NeedsWholeSource("The picture can't be made of a part of the source.")
            if picture is None:
                continue
            seen = verdict(completed.stdout)
            if best is None or seen < best[0]:
                best = (seen, picture)
            if seen == FINE:
                break
            if workspace.partial:
                raise NeedsWholeSource("There is nothing to see in the picture; another one is looked for elsewhere.")
        if best is None:
            raise failure(completed, task.media, video.index, workspace)
        (workspace.directory / FILE_NAME).write_bytes(best[1])
        workspace.progress(1.0)
        width, height = int(task.params["width"]), int(task.params["height"])
        return [Artifact(FILE_NAME, "thumbnail", "image/jpeg", len(best[1]), width=width, height=height)]


def _taken(
    task: StepTask, workspace: Workspace, at_seconds: float | None, *, looks: bool
) -> tuple[Completed, bytes | None]:
    """The picture of that moment. ffmpeg ends well without one when nothing decodes after the seek."""
    size = (int(task.params["width"]), int(task.params["height"]))
    target = workspace.directory / FILE_NAME
    target.unlink(missing_ok=True)
    argv = thumbnail_command(
        task.media, workspace.source, HERE / FILE_NAME, size, at_seconds, careful=workspace.partial, looks=looks
    )
    completed = workspace.processes.run(argv, reads=[workspace.source], writes=workspace.directory, limits=_LIMITS)
    data = target.read_bytes() if target.is_file() else b""
    return completed, data if is_jpeg(data) else None


def seek_seconds(media: MediaInfo, video: VideoStream, at_seconds: float | None) -> float:
    """Where to look for the picture: `-ss` counts from the container's start, where the video need not begin.

    A viewer sees the last frame that is not after that time; a seek ends at the first one that is not before it, so it
    goes to the middle between the wished frame and the one before.
    """
    if at_seconds is None:
        return video.start_seconds + thumbnail_seconds(video.duration_seconds)
    rate = float(video.frame_rate)
    wished = origin_seconds(media) + at_seconds - video.start_seconds
    number = min(
        math.floor(round(wished * rate, 3)), video.frame_count - 1, math.ceil(video.duration_seconds * rate) - 1
    )
    return video.start_seconds + max(0.0, (number - 0.5) / rate)


def thumbnail_seconds(duration_seconds: float) -> float:
    """Past opening logos and black, before the end: min(max(10 %, 3 s), min(20 %, 30 s)) of the duration."""
    return min(max(0.1 * duration_seconds, 3.0), min(0.2 * duration_seconds, 30.0))


def later_seconds(video: VideoStream, at_seconds: float) -> list[float]:
    """Where to look when there is nothing to see at that time: twice as far into the video, and so on (30 s, 1 min, 2
    min, ...: who sees a film's poster is not told its end).
    """
    into = at_seconds - video.start_seconds
    places = (into * 2**number for number in range(1, MORE_TRIES + 1))
    return [round(video.start_seconds + place, 6) for place in places if 0 < place <= 0.9 * video.duration_seconds]


def picture_size(display_size: tuple[int, int], max_side: int) -> tuple[int, int]:
    """The display size, made smaller (never larger) so that the longer side fits; even, for chroma is half the size."""
    scale = min(Fraction(1), Fraction(max_side, max(display_size)))
    width, height = (max(2, round(side * scale / 2) * 2) for side in display_size)
    return width, height


def is_jpeg(data: bytes) -> bool:
    """Whether it begins and ends as a JPEG does."""
    return data.startswith(_JPEG_MARKS[0]) and data.endswith(_JPEG_MARKS[1])
