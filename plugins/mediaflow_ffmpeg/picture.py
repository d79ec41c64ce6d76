"""`image.picture`: an image that somebody gave, as the picture of a video."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import ffmpeg

from mediaflow.plugin import (
    Artifact,
    Limits,
    MediaInfo,
    PlannedTask,
    Profile,
    Reads,
    StepSpec,
    StepTask,
    TaskFailed,
    Workspace,
)
from mediaflow_ffmpeg.argv import ONE_THREAD, QUIET, compiled, safe
from mediaflow_ffmpeg.commands import HERE
from mediaflow_ffmpeg.params import Number, problems
from mediaflow_ffmpeg.thumbnail import DEFAULT_MAX_SIDE, FILE_NAME, is_jpeg, picture_size

INPUT: Final = "picture"
"""The name under which the image is given: the only file of that input."""
FORMATS: Final[tuple[tuple[bytes, str], ...]] = ((b"\xff\xd8\xff", "jpeg_pipe"), (b"\x89PNG\r\n\x1a\n", "png_pipe"))
PARAMS: Final = (Number("max_side", 16, 4096, whole=True),)
_LIMITS: Final = Limits(wall_seconds=60, file_bytes=64 * 1024 * 1024)


class Picture:
    """A JPEG of a JPEG or PNG, as large as `image.thumbnail` would make the video's: what has another shape has bars.

    Not for profiles: the core plans it for what owners give.
    """

    name = "image.picture"

    def check(self, params: Mapping[str, Any]) -> Iterable[str]:
        return problems(params, PARAMS)

    def plan(self, media: MediaInfo, spec: StepSpec, profile: Profile) -> Sequence[PlannedTask]:  # noqa: ARG002
        if media.video is None:
            return []
        width, height = picture_size(media.video.display_size, spec.params.get("max_side", DEFAULT_MAX_SIDE))
        # the film itself is not looked at: no more of it is fetched than has to be
        reads = Reads(0.0, 0.04)
        return [PlannedTask("picture", {"width": width, "height": height}, weight=0.3, optional=True, reads=reads)]

    def run(self, task: StepTask, workspace: Workspace) -> Sequence[Artifact]:
        given = workspace.inputs.get(INPUT)
        if given is None or not given.artifacts:
            raise TaskFailed("No image was given.", code="job.bad_task")
        source = given.directory / given.artifacts[0].path
        width, height = int(task.params["width"]), int(task.params["height"])
        argv = picture_command(source, _format(source), HERE / FILE_NAME, (width, height))
        completed = workspace.processes.run(argv, reads=[source], writes=workspace.directory, limits=_LIMITS)
        target = workspace.directory / FILE_NAME
        data = target.read_bytes() if target.is_file() else b""
        if completed.returncode != 0 or not is_jpeg(data):
            raise TaskFailed("The image can't be decoded.", code="media.undecodable")
        return [Artifact(FILE_NAME, "thumbnail", "image/jpeg", len(data), width=width, height=height)]


def picture_command(source: Path, form: str, target: Path, size: tuple[int, int]) -> list[str]:
    """The first image of a file, fitted into that size."""
    width, height = size
    node = ffmpeg.input(f"file:{source}", format=form, **safe(form), **ONE_THREAD)
    node = node.filter("scale", width, height, force_original_aspect_ratio="decrease")
    node = node.filter("pad", width, height, "(ow-iw)/2", "(oh-ih)/2").filter("format", "yuvj420p")
    output = ffmpeg.output(node, str(target), format="image2", update=1, **{"frames:v": 1, "q:v": 3, "c:v": "mjpeg"})
    return compiled(output, *QUIET)


def _format(source: Path) -> str:
    with source.open("rb") as file:
        head = file.read(16)
    for magic, form in FORMATS:
        if head.startswith(magic):
            return form
    raise TaskFailed("The image is neither JPEG nor PNG.", code="media.unsupported")
