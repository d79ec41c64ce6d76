"""`ready.video` and `ready.audio`: what somebody has made already, packaged as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import ffmpeg

from mediaflow.plugin import (
    READY_SOUND,
    Artifact,
    AudioStream,
    MediaInfo,
    MediaRejected,
    PlannedTask,
    Profile,
    ReadyMade,
    Span,
    StepSpec,
    StepTask,
    TaskFailed,
    Workspace,
    from_json,
    origin_seconds,
    ready_made,
    to_json,
)
from mediaflow_ffmpeg.argv import QUIET, compiled
from mediaflow_ffmpeg.clocks import from_origin
from mediaflow_ffmpeg.commands import HERE, PROGRESS, source_input
from mediaflow_ffmpeg.copying import copies_command
from mediaflow_ffmpeg.encoding import check_ends, encode, undecodable
from mediaflow_ffmpeg.jobs import Encoder, VideoJob
from mediaflow_ffmpeg.making import written
from mediaflow_ffmpeg.muxing import segment_options
from mediaflow_ffmpeg.params import problems
from mediaflow_ffmpeg.tasks import COPY_SECONDS
from mediaflow_ffmpeg.units import check_units
from mediaflow_ffmpeg.verify import check_grid, check_length, check_spacing, read_tracks

_PRIMING_SECONDS: Final = 0.1
"""So much of what an encoder of sound says before the film may lie before its first segment's place."""
_SOUND_SECONDS: Final = 0.0005
"""Of one core, for a second of sound that is not decoded."""
_WAY_OUT: Final = "Another profile encodes it."


@dataclass(frozen=True, slots=True)
class ReadyJob:
    """All sizes, in segments of about so many seconds: what they are is found in the media again."""

    segment_seconds: float


class CopiedVideo:
    """`ready.video`: each stream of H.264 of an MP4 or MOV is a rendition as it is, if all are sizes of one film. It
    has no parameters; nothing is encoded, and a profile's ladder means nothing to it.
    """

    name = "ready.video"

    def check(self, params: Mapping[str, Any]) -> Iterable[str]:
        return problems(params, ())

    def plan(self, media: MediaInfo, _spec: StepSpec, profile: Profile) -> Sequence[PlannedTask]:
        if media.video is None:
            return []
        ready = _ready(media, profile.segment_seconds)
        makes = tuple(rendition.name for rendition in ready.renditions)
        weight = max(0.1, round(ready.grid.frame_count * len(makes) * COPY_SECONDS, 3))
        return [PlannedTask("video-copy", to_json(ReadyJob(profile.segment_seconds)), weight=weight, makes=makes)]

    def run(self, task: StepTask, workspace: Workspace) -> Sequence[Artifact]:
        media = task.media
        ready = _ready(media, from_json(ReadyJob, task.params).segment_seconds)
        origin, frames = origin_seconds(media), ready.grid.frame_count
        job = VideoJob(ready.renditions, ready.grid, Span(0, 0, None), Encoder(), origin, frames, copied=True)
        written(job, copies_command(job, media, ready.streams, workspace.source, HERE), media, workspace)
        tracks = read_tracks(workspace.directory, [rendition.name for rendition in ready.renditions], 0)
        check_grid(tracks, ready.grid)
        if tracks[0].frame_count != frames:
            raise undecodable(f"{tracks[0].frame_count} of {frames} pictures can be cut out. {_WAY_OUT}")
        found = []
        for track, rendition in zip(tracks, ready.renditions, strict=True):
            if (track.init.width, track.init.height) != (rendition.width, rendition.height):
                raise TaskFailed(f"{rendition.name} has another size than it said.", code="job.bad_output")
            check_units(track)
            check_ends(track, workspace)
            described = track.describe(frame_rate=ready.grid.frame_rate, audio_group=rendition.audio)
            found += track.artifacts(described)
        return found


@dataclass(frozen=True, slots=True)
class ReadySound:
    """One stream of sound; `group` is what it is a choice of, in another language."""

    name: str
    stream_index: int
    segment_seconds: float
    origin_seconds: float
    expected_seconds: float
    language: str | None
    group: str | None


class CopiedAudio:
    """`ready.audio`: the AAC sound of an MP4 or MOV as it is, in each language. It has no parameters."""

    name = "ready.audio"

    def check(self, params: Mapping[str, Any]) -> Iterable[str]:
        return problems(params, ())

    def plan(self, media: MediaInfo, _spec: StepSpec, profile: Profile) -> Sequence[PlannedTask]:
        tasks = []
        for number, stream in enumerate(media.audio_streams):
            if stream.codec != "aac" or "mov" not in media.container.split(","):
                raise MediaRejected(
                    f"The sound ({stream.codec}) can't be taken as it is: it must be AAC in an MP4 or MOV. {_WAY_OUT}",
                    code="media.unsupported",
                )
            job = _sound_job(media, stream, number, profile)
            weight = max(0.1, round(job.expected_seconds * _SOUND_SECONDS, 3))
            tasks.append(
                PlannedTask(job.name, to_json(job), weight=weight, makes=(job.name,), optional=job.group is not None)
            )
        return tasks

    def run(self, task: StepTask, workspace: Workspace) -> Sequence[Artifact]:
        job = from_json(ReadySound, task.params)
        argv = sound_command(job, task.media, workspace.source, HERE)
        encode(argv, task.media, job.stream_index, job.expected_seconds, workspace)
        (track,) = read_tracks(workspace.directory, [job.name], 0)
        check_spacing([track], _seconds(job), _PRIMING_SECONDS)
        check_length(track.duration_seconds, job.expected_seconds)
        check_ends(track, workspace)
        return track.artifacts(track.describe(language=job.language, audio_group=job.group))


def sound_command(job: ReadySound, media: MediaInfo, source: Path, directory: Path) -> list[str]:
    """One ffmpeg that decodes nothing: the stream's packets as they are, in segments below the directory."""
    stream = source_input(source, media, **from_origin(job.origin_seconds))[str(job.stream_index)]
    options = {"c:a": "copy", **segment_options("a", [job.name], _seconds(job), 0, directory)}
    return compiled(ffmpeg.output(stream, f"{directory}/%v/index.m3u8", **options), *QUIET, *PROGRESS)


def _sound_job(media: MediaInfo, stream: AudioStream, number: int, profile: Profile) -> ReadySound:
    origin = origin_seconds(media)
    seconds = max(0.0, stream.start_seconds - origin + stream.duration_seconds)
    name = READY_SOUND if number == 0 else f"{READY_SOUND}-{number}"
    group = READY_SOUND if number else None
    return ReadySound(name, stream.index, profile.segment_seconds, origin, seconds, stream.language, group)


def _seconds(job: ReadySound) -> Fraction:
    return Fraction(job.segment_seconds).limit_denominator(1000)


def _ready(media: MediaInfo, segment_seconds: float) -> ReadyMade:
    found = ready_made(media, segment_seconds)
    if isinstance(found, str):
        raise MediaRejected(f"{found} {_WAY_OUT}", code="media.unsupported")
    return found
