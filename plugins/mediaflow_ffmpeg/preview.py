"""`image.preview`: a few moments of the video, for whoever points at it in a list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import Any, Final

from mediaflow.plugin import (
    Artifact,
    Limits,
    MediaInfo,
    PlannedTask,
    Profile,
    StepSpec,
    StepTask,
    TaskFailed,
    Workspace,
    from_json,
    plan_encode,
    to_json,
)
from mediaflow_ffmpeg.commands import HERE, decode_command
from mediaflow_ffmpeg.encoding import last_line
from mediaflow_ffmpeg.images import preview_command
from mediaflow_ffmpeg.params import Number, problems
from mediaflow_ffmpeg.renditions import joined, soonest_rendition, track_of
from mediaflow_ffmpeg.thumbnail import picture_size

FILE_NAME: Final = "preview.mp4"
MOMENTS: Final = 4
DEFAULT_SECONDS: Final = 3.0
DEFAULT_MAX_SIDE: Final = 320
FRAMES_PER_SECOND: Final = 15
"""At most: it is the size of a stamp, and each frame is bytes for everyone who passes by."""
LEAST_SECONDS: Final = 2.0
"""What is shorter is over before anybody wonders what is in it."""
_COST: Final = 0.4
"""Core seconds, whatever the length (measured: 0.3 to 0.4, most of it the start of programs)."""
_LIMITS: Final = Limits(wall_seconds=120, file_bytes=4 * 1024 * 1024)

PARAMS: Final = (Number("seconds", 1, 10), Number("max_side", 64, 640, whole=True))


@dataclass(frozen=True, slots=True)
class Look:
    """What is shown: so many seconds of the track in all, in a picture of that size, every so many frames one."""

    track: str
    seconds: float
    width: int
    height: int
    frame_rate: Fraction
    every: int


class Preview:
    """A silent MP4 of `seconds` (3), whose longer side has `max_side` pixels (320): the beginnings of segments in the
    middle of four equal parts of the video, one after the other. Optional, as every picture.

    It is taken from the rendition of `video.h264` that is there first; where the profile has none, or the video lasts
    less than 2 s, there is no preview.
    """

    name = "image.preview"

    def check(self, params: Mapping[str, Any]) -> Iterable[str]:
        return problems(params, PARAMS)

    def plan(self, media: MediaInfo, spec: StepSpec, profile: Profile) -> Sequence[PlannedTask]:
        track, needs = soonest_rendition(media, profile)
        grid = plan_encode(media, profile).grid
        if media.video is None or track is None or grid is None or media.duration_seconds < LEAST_SECONDS:
            return []
        size = picture_size(media.video.display_size, spec.params.get("max_side", DEFAULT_MAX_SIDE))
        every = max(1, -(-grid.frame_rate // FRAMES_PER_SECOND))
        look = Look(track, float(spec.params.get("seconds", DEFAULT_SECONDS)), *size, grid.frame_rate, int(every))
        params = to_json(look)
        return [PlannedTask("preview", params, needs=needs, weight=_COST, optional=True, makes=(FILE_NAME,))]

    def run(self, task: StepTask, workspace: Workspace) -> Sequence[Artifact]:
        look = from_json(Look, task.params)
        track = track_of(workspace, look.track)
        if track is None:
            raise TaskFailed(f"{look.track} is not there from its beginning on.", code="job.incomplete")
        lengths = [seconds for _, seconds in track.segments]
        chosen = moments(lengths)
        files = [joined(workspace.directory / f"{n}.mp4", (track.init, track.segments[n][0])) for n in chosen]
        shown = [*zip(files, seconds_of([lengths[n] for n in chosen], look.seconds), strict=True)]
        argv = preview_command(shown, HERE / FILE_NAME, (look.width, look.height), look.frame_rate, look.every)
        done = workspace.processes.run(argv, reads=files, writes=workspace.directory, limits=_LIMITS)
        file = workspace.directory / FILE_NAME
        if done.returncode != 0 or not file.is_file() or b"ftyp" not in file.read_bytes()[:12]:
            raise TaskFailed(f"No preview came out: {last_line(done.stderr)}", code="job.bad_output")
        seen = workspace.processes.run(decode_command(file), reads=[file], limits=_LIMITS)
        if seen.returncode != 0 or seen.stderr.strip():
            raise TaskFailed(f"The preview does not decode: {last_line(seen.stderr)}", code="job.bad_output")
        workspace.progress(1.0)
        size = file.stat().st_size
        return [Artifact(FILE_NAME, "preview", "video/mp4", size, width=look.width, height=look.height)]


def moments(lengths: Sequence[float]) -> list[int]:
    """The segments in the middle of equal parts of the whole, each once: openings are black, and ends are names."""
    ends, whole = list(accumulate(lengths)), sum(lengths)
    middles = ((part + 0.5) * whole / MOMENTS for part in range(MOMENTS))
    found = (next(n for n, end in enumerate(ends) if end > middle or n == len(ends) - 1) for middle in middles)
    return list(dict.fromkeys(found))


def seconds_of(lengths: Sequence[float], seconds: float) -> list[float]:
    """How much of each moment is shown, which lasts so long: as much of all of them as there is."""
    return [round(min(seconds / len(lengths), length), 6) for length in lengths]
