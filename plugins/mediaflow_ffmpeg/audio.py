"""`audio.aac`: each language in every rendition from one decode and one encode (a seam would leave a gap)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from mediaflow.plugin import (
    Artifact,
    AudioStream,
    MediaInfo,
    PlannedTask,
    Profile,
    Reads,
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
from mediaflow_ffmpeg.commands import AGAIN, HERE, SOUND_MARGIN_SECONDS, audio_command
from mediaflow_ffmpeg.encoding import check_ends, encode
from mediaflow_ffmpeg.jobs import FRAME_SAMPLES, AudioJob
from mediaflow_ffmpeg.measuring import gain_of, make_measured, with_measuring
from mediaflow_ffmpeg.onekind import of_one_kind
from mediaflow_ffmpeg.opening import can_be_foretold
from mediaflow_ffmpeg.params import Number, problems
from mediaflow_ffmpeg.seeking import can_be_sought
from mediaflow_ffmpeg.sound import MOST_CUTS, describe, make_foretold, part_of, segment_count
from mediaflow_ffmpeg.streaming import Streaming
from mediaflow_ffmpeg.verify import check_length, check_spacing, read_tracks, too_short

_DECODE_COST: Final = 0.005
_ENCODE_COST: Final = 0.02
"""Seconds of one core for a second of audio."""

PARAMS: Final = (Number("loudness_lufs", -31, -8),)


class AacAudio:
    """AAC-LC, mono or stereo. Parameters: loudness_lufs, what all sound is made as loud as; bit rates come from the
    ladder.
    """

    name = "audio.aac"

    def check(self, params: Mapping[str, Any]) -> Iterable[str]:
        return problems(params, PARAMS)

    def plan(self, media: MediaInfo, spec: StepSpec, profile: Profile) -> Sequence[PlannedTask]:
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
        job = replace(job, loudness_lufs=spec.params.get("loudness_lufs"))
        others = [_in_another_language(job, stream, media, profile) for stream in media.more_audio]
        if can_be_foretold(media, plan, seconds):
            tasks = _copied(job, media.audio)
            if tasks:
                job = replace(job, renditions=job.renditions[1:])
            if job.renditions:
                tasks += _foretold(job, in_parts=can_be_sought(media))
        else:
            tasks = with_measuring(_planned("audio", job, 2), job)
        for other in others:
            # a film without one of its languages is still a film
            tasks += with_measuring(_planned(f"audio-{_tag(other)}", other, 2, optional=True), other)
        return tasks

    def run(self, task: StepTask, workspace: Workspace) -> Sequence[Artifact]:
        job = from_json(AudioJob, task.params)
        if task.media.audio is None:
            raise TaskFailed("An audio task was planned for media without audio.", code="job.bad_task")
        if task.part is not None:
            job = part_of(job, task.part)
        index = task.media.audio.index if job.stream_index is None else job.stream_index
        if job.measures:
            return make_measured(task.name, job, task.media, index, workspace)
        if job.loudness_lufs is not None:
            job = replace(job, gain=gain_of(workspace.inputs))
        if job.exact_samples is not None:
            return make_foretold(job, task.media, index, workspace)
        tracks = _whole(job, task.media, index, workspace)
        check_ends(tracks[-1], workspace)
        groups = job.groups or (None,) * len(tracks)
        named = zip(tracks, groups, strict=True)
        return [found for track, group in named for found in track.artifacts(describe(job, group, track))]


def _whole(job: AudioJob, media: MediaInfo, index: int, workspace: Workspace) -> list[WrittenTrack]:
    """All of the sound, as its packets promise it. TaskFailed or MediaRejected when it can't be made so."""
    try:
        tracks = _encoded(job, media, index, workspace, HERE)
        # seen: an AVI whose clock runs a hundred times too fast, so that all but 20 ms looked like overlap
        if too_short(tracks[0].duration_seconds, job.expected_seconds):
            tracks = _encoded(replace(job, by_count=True), media, index, workspace, AGAIN)
        _check(job, tracks)
    except TaskFailed as error:
        if error.code != "job.bad_output":
            raise
        # its rate or channels change midway, or it is our mistake: then it fails again
        alike = of_one_kind(job, media, index, workspace)
        tracks = _encoded(alike.job, alike.media, 0, alike.workspace, AGAIN)
        _check(job, tracks)
    return tracks


def _check(job: AudioJob, tracks: Sequence[WrittenTrack]) -> None:
    # the encoder's own delay (one frame) lies before the presentation's start, and a boundary between two frames
    check_spacing(tracks, job.segment_seconds, 2 * FRAME_SAMPLES / job.rate_hz)
    check_length(tracks[0].duration_seconds, job.expected_seconds)


def _encoded(
    job: AudioJob, media: MediaInfo, stream_index: int, workspace: Workspace, into: Path
) -> list[WrittenTrack]:
    argv = audio_command(job, media, workspace.source, into)
    encode(argv, media, stream_index, job.expected_seconds, workspace, into=into)
    streaming = Streaming(workspace, {r.name: partial(describe, job, None) for r in job.renditions}, None)
    if into != HERE:
        streaming.take(workspace.directory / into)
    return read_tracks(workspace.directory, list(streaming.describe), 0)


def _copied(job: AudioJob, audio: AudioStream) -> list[PlannedTask]:
    """The first rendition as the source has it: its first segment, and all of it. None where it is not, or is to be as
    loud as wished.
    """
    own, (best, *_) = audio.packets, job.renditions
    if own is None or not best.copied or job.loudness_lufs is not None:
        return []
    samples = (own.count - 2) * FRAME_SAMPLES + own.last_samples
    whole = replace(job, renditions=(best,), own=own, exact_samples=samples, sought=True)
    count = segment_count(whole)
    if count > MOST_CUTS:
        return []
    whole = replace(whole, count=count)
    opens = _planned("audio-copy-first", replace(whole, count=1, sought=False, tells=True), 0)
    made = _planned("audio-copy", whole, 1, optional=True)
    return [replace(opens, reads=_reads(job, 1)), replace(made, segments=count, reads=_reads(job, count))]


def _foretold(job: AudioJob, *, in_parts: bool) -> list[PlannedTask]:
    """The first segment of every rendition, since each goes with some of the pictures, and all of them. Of what is to
    be as loud as wished, the init segments, and all that is made once it is measured.
    """
    waits = job.loudness_lufs is not None
    in_parts = in_parts and not waits
    job = replace(job, exact_samples=round(job.expected_seconds * job.rate_hz), sought=in_parts)
    count = segment_count(job)
    whole = replace(_planned("audio", replace(job, count=count), 1), segments=count if in_parts else 0)
    whole = replace(whole, reads=_reads(job, count)) if in_parts else whole
    opens = replace(job, count=0 if waits else 1, tells=True, loudness_lufs=None)
    first = replace(_planned("audio-first", opens, 0), reads=_reads(job, 1))
    return [first, *with_measuring(whole, job)]


def _reads(job: AudioJob, count: int) -> Reads:
    """What of the source the first so many segments need. Each of them is begun one segment early."""
    seconds = float(job.segment_seconds)
    return Reads(job.origin_seconds, job.origin_seconds + count * seconds, seconds + SOUND_MARGIN_SECONDS)


def _planned(name: str, job: AudioJob, rank: int, *, optional: bool = False) -> PlannedTask:
    seconds = min(job.expected_seconds, job.limit_seconds)
    if job.count:
        seconds = min(seconds, job.count * float(job.segment_seconds))
    weight = seconds * (_DECODE_COST + (0 if job.copied else _ENCODE_COST * len(job.renditions)))
    made = tuple(rendition.name for rendition in job.renditions)
    # without its beginning a film is still one that is published when it is made
    optional = optional or rank == 0
    return PlannedTask(name, to_json(job), weight=round(max(0.1, weight), 3), optional=optional, makes=made, rank=rank)


def _in_another_language(main: AudioJob, stream: AudioStream, media: MediaInfo, profile: Profile) -> AudioJob:
    """The same bit rates, each rendition a choice of the main one's group."""
    found = plan_encode(replace(media, audio=stream, more_audio=()), replace(profile, copies=False)).audio
    groups = {rendition.name for rendition in main.renditions}
    found = tuple(rendition for rendition in found if rendition.name in groups)
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
