"""`audio.aac`: every audio rendition from one decode, one encode for the whole file (a seam would leave a gap)."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from mediaflow.plugin import (
    Artifact,
    MediaInfo,
    PlannedTask,
    Profile,
    StepSpec,
    StepTask,
    TaskFailed,
    Track,
    Workspace,
    plan_encode,
)
from mediaflow.plugin.wire import dump, load
from mediaflow_ffmpeg.commands import HERE, audio_command
from mediaflow_ffmpeg.encoding import check_decodes, encode
from mediaflow_ffmpeg.jobs import AudioJob, origin_seconds
from mediaflow_ffmpeg.params import problems
from mediaflow_ffmpeg.verify import INIT_NAME, WrittenTrack, check_length, check_spacing, read_tracks, too_short

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
        weight = seconds * (_DECODE_COST + _ENCODE_COST * len(plan.audio))
        return [PlannedTask("audio", dump(job), weight=round(max(0.1, weight), 3))]

    def run(self, task: StepTask, workspace: Workspace) -> Sequence[Artifact]:
        job = load(AudioJob, task.params)
        if task.media.audio is None:
            raise TaskFailed("An audio task was planned for media without audio.", code="job.bad_task")
        tracks = _encoded(job, task.media, task.media.audio.index, workspace)
        if too_short(tracks[0], job.expected_seconds):
            # seen: an AVI whose clock runs a hundred times too fast, so that all but 20 ms looked like overlap
            for track in tracks:
                shutil.rmtree(track.directory)
            tracks = _encoded(job, task.media, task.media.audio.index, workspace, by_count=True)
        # the encoder's own delay (one frame) lies before the presentation's start, and a boundary between two frames
        check_spacing(tracks, job.segment_seconds, 2 * _FRAME_SAMPLES / job.renditions[0].sample_rate_hz)
        check_length(tracks[0], job.expected_seconds)
        smallest = tracks[-1]
        last = smallest.path(len(smallest.segments) - 1)
        check_decodes([smallest.directory / INIT_NAME, *dict.fromkeys([smallest.path(0), last])], workspace)
        return [artifact for track in tracks for artifact in track.artifacts(_described(track, job))]


def _encoded(
    job: AudioJob, media: MediaInfo, stream_index: int, workspace: Workspace, *, by_count: bool = False
) -> list[WrittenTrack]:
    argv = audio_command(job, media, workspace.source, HERE, by_count=by_count)
    encode(argv, media, stream_index, job.expected_seconds, workspace)
    return read_tracks(workspace.directory, [rendition.name for rendition in job.renditions], 0)


def _described(track: WrittenTrack, job: AudioJob) -> Track:
    return Track(
        track.name,
        "audio",
        track.init.codecs,
        track.init.timescale,
        channels=track.init.channels,
        sample_rate_hz=track.init.sample_rate_hz,
        language=job.language,
    )
