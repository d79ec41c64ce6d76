"""`audio.waveform`: a picture of the sound, for what has no other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
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
)
from mediaflow_ffmpeg.commands import HERE
from mediaflow_ffmpeg.encoding import failure
from mediaflow_ffmpeg.images import waveform_command
from mediaflow_ffmpeg.params import Number, Switch, problems

FILE_NAME: Final = "waveform.png"
DEFAULT_WIDTH: Final = 1280
MOST_SAMPLES: Final = 16_000_000
"""They are all in memory in the end (about 65 MB): six minutes at 44.1 kHz, ten hours at 444 Hz, which are still 12,500
for each column of the picture. What is higher than half of the rate is not seen; speech and music are loud below.
"""
_MOST_HZ: Final = 44_100
_PNG_MARKS: Final = (b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82")
_COST: Final = 0.001
"""Core seconds for a second of sound (measured: an hour of MP3 in 3.1)."""

PARAMS: Final = (Number("width", 64, 4096, whole=True), Switch("with_video"))


class Waveform:
    """A PNG of `width` pixels (1280), 16:9: how loud the sound is over its time. Optional, as every picture.

    It stands for an asset that has no video; with `with_video` it is made of videos, too, as one more picture.
    """

    name = "audio.waveform"

    def check(self, params: Mapping[str, Any]) -> Iterable[str]:
        return problems(params, PARAMS)

    def plan(self, media: MediaInfo, spec: StepSpec, profile: Profile) -> Sequence[PlannedTask]:  # noqa: ARG002
        if media.audio is None or (media.video is not None and not spec.params.get("with_video", False)):
            return []
        width = int(spec.params.get("width", DEFAULT_WIDTH))
        seconds = media.audio.duration_seconds
        # even, and so is its half
        params = {"width": width // 2 * 2, "height": max(4, width * 9 // 64 * 4), "rate_hz": rate_for(seconds)}
        weight = round(0.3 + _COST * seconds, 3)
        return [PlannedTask("waveform", params, weight=weight, optional=True, makes=(FILE_NAME,))]

    def run(self, task: StepTask, workspace: Workspace) -> Sequence[Artifact]:
        media, audio = task.media, task.media.audio
        if audio is None:
            raise TaskFailed("A waveform was planned for media without sound.", code="job.bad_task")
        width, height = int(task.params["width"]), int(task.params["height"])
        argv = waveform_command(
            media, audio.index, workspace.source, HERE / FILE_NAME, (width, height), int(task.params["rate_hz"])
        )
        limits = Limits(wall_seconds=120 + audio.duration_seconds, file_bytes=64 * 1024 * 1024)
        completed = workspace.processes.run(argv, reads=[workspace.source], writes=workspace.directory, limits=limits)
        target = workspace.directory / FILE_NAME
        data = target.read_bytes() if target.is_file() else b""
        if not (data.startswith(_PNG_MARKS[0]) and data.endswith(_PNG_MARKS[1])):
            raise failure(completed, media, audio.index, workspace)
        workspace.progress(1.0)
        picture = Artifact(FILE_NAME, "thumbnail", "image/png", len(data), width=width, height=height)
        return [picture if media.video is None else replace(picture, role="image")]


def rate_for(seconds: float) -> int:
    """The samples a second that are looked at."""
    return max(100, min(_MOST_HZ, int(MOST_SAMPLES / max(seconds, 1.0))))
