"""`audio.aac`: each language in every rendition from one decode and one encode (a seam would leave a gap)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
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
    Track,
    Workspace,
    WrittenTrack,
    from_json,
    origin_seconds,
    plan_encode,
    to_json,
)
from mediaflow_ffmpeg.commands import AGAIN, HERE, audio_command
from mediaflow_ffmpeg.encoding import check_decodes, encode, undecodable
from mediaflow_ffmpeg.jobs import AudioJob
from mediaflow_ffmpeg.opening import FRAME_SAMPLES, can_be_foretold, foretold_sound, sound_segments
from mediaflow_ffmpeg.params import problems
from mediaflow_ffmpeg.streaming import Streaming
from mediaflow_ffmpeg.verify import INIT_NAME, check_length, check_spacing, read_tracks, too_short

_DECODE_COST: Final = 0.005
_ENCODE_COST: Final = 0.02
"""Seconds of one core for a second of audio."""


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
        rate = plan.audio[0].sample_rate_hz
        opens = can_be_foretold(media, plan.grid) and seconds > plan.segment_seconds
        if opens:
            job = replace(job, exact_samples=round(seconds * rate))
        others = (_in_another_language(job, stream, media, profile) for stream in media.more_audio)
        # a film without one of its languages is still a film
        return [
            *([_planned("audio-first", replace(job, renditions=plan.audio[-1:], opens=True), 0)] if opens else []),
            _planned("audio", job, 1 if opens else 2),
            *(_planned(f"audio-{_tag(other)}", other, 2, optional=True) for other in others),
        ]

    def run(self, task: StepTask, workspace: Workspace) -> Sequence[Artifact]:
        job = from_json(AudioJob, task.params)
        if task.media.audio is None:
            raise TaskFailed("An audio task was planned for media without audio.", code="job.bad_task")
        index = task.media.audio.index if job.stream_index is None else job.stream_index
        streaming = _streaming(job, workspace)
        tracks = _encoded(job, task.media, index, streaming)
        if job.opens:
            return _opening(job, tracks[0])
        # seen: an AVI whose clock runs a hundred times too fast, so that all but 20 ms looked like overlap
        by_count = too_short(tracks[0].duration_seconds, job.expected_seconds)
        if by_count:
            tracks = _again(job, task.media, index, streaming, by_count=True)
        short = too_short(tracks[0].duration_seconds, job.expected_seconds)
        if _samples(tracks[0]) < (job.exact_samples or 0) and not short:
            tracks = _again(replace(job, padded=True), task.media, index, streaming, by_count=by_count)
        # the encoder's own delay (one frame) lies before the presentation's start, and a boundary between two frames
        check_spacing(tracks, job.segment_seconds, 2 * FRAME_SAMPLES / job.renditions[0].sample_rate_hz)
        check_length(tracks[0].duration_seconds, job.expected_seconds)
        smallest = tracks[-1]
        last = smallest.path(len(smallest.segments) - 1)
        check_decodes([smallest.directory / INIT_NAME, *dict.fromkeys([smallest.path(0), last])], workspace)
        groups = job.groups or (None,) * len(tracks)
        named = zip(tracks, groups, strict=True)
        return [found for track, group in named for found in track.artifacts(_describe(job, group, track))]


def _describe(job: AudioJob, group: str | None, track: WrittenTrack) -> Track:
    return track.describe(language=job.language, audio_group=group)


def _streaming(job: AudioJob, workspace: Workspace) -> Streaming:
    """What looks for segments while they are made, where they were foretold."""
    describe = {r.name: partial(_describe, job, None) for r in job.renditions}
    if job.opens or job.exact_samples is None:
        return Streaming(workspace, describe, None)
    lengths = sound_segments(job.exact_samples, job.renditions[0].sample_rate_hz, job.segment_seconds)

    def fits(track: WrittenTrack) -> bool:
        return track.first < len(lengths) and track.segments[0].duration == lengths[track.first]

    return Streaming(workspace, describe, fits)


def _samples(track: WrittenTrack) -> int:
    """Of the presentation: the encoder's delay lies before it."""
    return sum(segment.duration for segment in track.segments) - FRAME_SAMPLES


def _opening(job: AudioJob, track: WrittenTrack) -> list[Artifact]:
    """The first segment, which foretells all. MediaRejected when it is not as long as that: the sound has gaps."""
    (rendition,), samples = job.renditions, job.exact_samples or 0
    told = foretold_sound(samples, rendition.sample_rate_hz, job.segment_seconds, rendition.bitrate_bps)
    init, first, *_ = track.artifacts(_describe(job, None, track))
    if abs((first.duration_seconds or 0.0) - told.runs[0][1]) > 1e-6:
        raise undecodable("its sound does not begin as it should")
    return [replace(init, foretells=told), first]


def _planned(name: str, job: AudioJob, rank: int, *, optional: bool = False) -> PlannedTask:
    seconds = min(job.expected_seconds, job.limit_seconds)
    weight = seconds * (_DECODE_COST + _ENCODE_COST * len(job.renditions))
    made = tuple(rendition.name for rendition in job.renditions)
    # without its beginning a film is still one that is published when it is made
    optional = optional or rank == 0
    return PlannedTask(name, to_json(job), weight=round(max(0.1, weight), 3), optional=optional, makes=made, rank=rank)


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
        exact_samples=None,
    )
    names = (rendition.name.removeprefix("audio-") for rendition in found)
    return replace(
        job, renditions=tuple(replace(r, name=f"audio-{_tag(job)}-{n}") for r, n in zip(found, names, strict=True))
    )


def _tag(job: AudioJob) -> str:
    return (job.language or "").lower()


def _encoded(job: AudioJob, media: MediaInfo, stream_index: int, streaming: Streaming) -> list[WrittenTrack]:
    workspace = streaming.workspace
    argv = audio_command(job, media, workspace.source, HERE)
    encode(argv, media, stream_index, job.expected_seconds, workspace, streaming.look)
    return read_tracks(workspace.directory, list(streaming.describe), 0)


def _again(
    job: AudioJob, media: MediaInfo, stream_index: int, streaming: Streaming, *, by_count: bool
) -> list[WrittenTrack]:
    workspace = streaming.workspace
    argv = audio_command(job, media, workspace.source, AGAIN, by_count=by_count)
    encode(argv, media, stream_index, job.expected_seconds, workspace, into=AGAIN)
    streaming.take(workspace.directory / AGAIN)
    return read_tracks(workspace.directory, list(streaming.describe), 0)
