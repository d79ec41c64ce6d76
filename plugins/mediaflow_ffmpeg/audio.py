"""`audio.aac`: each language in every rendition from one decode and one encode (a seam would leave a gap)."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from mediaflow.plugin import (
    Artifact,
    AudioStream,
    MediaInfo,
    PlannedTask,
    Profile,
    StepSpec,
    StepTask,
    TaskFailed,
    Workspace,
    WrittenTrack,
    from_json,
    origin_seconds,
    plan_encode,
    to_json,
)
from mediaflow_ffmpeg.commands import HERE, audio_command
from mediaflow_ffmpeg.encoding import check_decodes, encode
from mediaflow_ffmpeg.jobs import AudioJob
from mediaflow_ffmpeg.params import problems
from mediaflow_ffmpeg.verify import INIT_NAME, check_length, check_spacing, read_tracks, too_short

_DECODE_COST: Final = 0.005
_ENCODE_COST: Final = 0.02
"""Seconds of one core for a second of audio."""
_FRAME_SAMPLES: Final = 1024


class AacAudio:
    """AAC-LC, mono or stereo; takes no parameters: the bit rates come from the ladder."""

    name = "audio.aac"

    def check(self, params: Mapping[str, Any]) -> Iterable[str]:
        return problems(params, ())

    def plan(self, media: MediaInfo, spec: StepSpec, profile: Profile) -> Sequence[PlannedTask]:  # noqa: ARG002
        if media.audio is None:
            return []
        if not any(step.step.startswith("video.") for step in profile.steps):
            # nobody makes video: every bit rate of the ladder is wanted, and time counts from the audio alone
            media = replace(media, video=None)
        plan = plan_encode(media, profile)
        if media.audio is None or not plan.audio:
            return []
        origin = origin_seconds(media)
        seconds = max(0.0, media.audio.start_seconds - origin + media.audio.duration_seconds)
        job = AudioJob(plan.audio, plan.segment_seconds, origin, seconds, media.audio.language)
        others = (_in_another_language(job, stream, media, profile) for stream in media.more_audio)
        # a film without one of its languages is still a film
        return [_planned("audio", job), *(_planned(f"audio-{_tag(other)}", other, optional=True) for other in others)]

    def run(self, task: StepTask, workspace: Workspace) -> Sequence[Artifact]:
        job = from_json(AudioJob, task.params)
        if task.media.audio is None:
            raise TaskFailed("An audio task was planned for media without audio.", code="job.bad_task")
        index = task.media.audio.index if job.stream_index is None else job.stream_index
        tracks = _encoded(job, task.media, index, workspace)
        if too_short(tracks[0], job.expected_seconds):
            # seen: an AVI whose clock runs a hundred times too fast, so that all but 20 ms looked like overlap
            for track in tracks:
                shutil.rmtree(track.directory)
            tracks = _encoded(job, task.media, index, workspace, by_count=True)
        # the encoder's own delay (one frame) lies before the presentation's start, and a boundary between two frames
        check_spacing(tracks, job.segment_seconds, 2 * _FRAME_SAMPLES / job.renditions[0].sample_rate_hz)
        check_length(tracks[0], job.expected_seconds)
        smallest = tracks[-1]
        last = smallest.path(len(smallest.segments) - 1)
        check_decodes([smallest.directory / INIT_NAME, *dict.fromkeys([smallest.path(0), last])], workspace)
        groups = job.groups or (None,) * len(tracks)
        named = zip(tracks, groups, strict=True)
        described = [(track, track.describe(language=job.language, audio_group=group)) for track, group in named]
        return [found for track, what in described for found in track.artifacts(what)]


def _planned(name: str, job: AudioJob, *, optional: bool = False) -> PlannedTask:
    weight = job.expected_seconds * (_DECODE_COST + _ENCODE_COST * len(job.renditions))
    made = tuple(rendition.name for rendition in job.renditions)
    return PlannedTask(name, to_json(job), weight=round(max(0.1, weight), 3), optional=optional, makes=made)


def _in_another_language(main: AudioJob, stream: AudioStream, media: MediaInfo, profile: Profile) -> AudioJob:
    """The same bit rates, each rendition a choice of the main one's group."""
    found = plan_encode(replace(media, audio=stream, more_audio=()), profile).audio
    end = max(s.start_seconds + s.duration_seconds for s in (media.video, media.audio) if s is not None)
    job = replace(
        main,
        language=stream.language,
        stream_index=stream.index,
        groups=tuple(rendition.name for rendition in found),
        expected_seconds=max(0.0, end - main.origin_seconds),
    )
    names = (rendition.name.removeprefix("audio-") for rendition in found)
    return replace(
        job, renditions=tuple(replace(r, name=f"audio-{_tag(job)}-{n}") for r, n in zip(found, names, strict=True))
    )


def _tag(job: AudioJob) -> str:
    return (job.language or "").lower()


def _encoded(
    job: AudioJob, media: MediaInfo, stream_index: int, workspace: Workspace, *, by_count: bool = False
) -> list[WrittenTrack]:
    argv = audio_command(job, media, workspace.source, HERE, by_count=by_count)
    encode(argv, media, stream_index, job.expected_seconds, workspace)
    return read_tracks(workspace.directory, [rendition.name for rendition in job.renditions], 0)
