"""Sound whose length is certain: cut at the frames that were foretold, all of it or a part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Final

from mediaflow.plugin import (
    Artifact,
    MediaInfo,
    NeedsWholeSource,
    Part,
    TaskFailed,
    Track,
    Workspace,
    WrittenTrack,
    read_init,
    read_segment,
    read_track,
)
from mediaflow_ffmpeg.commands import AGAIN, HERE, audio_command
from mediaflow_ffmpeg.cutting import RAW, run_of
from mediaflow_ffmpeg.encoding import check_ends, encode, undecodable
from mediaflow_ffmpeg.jobs import FRAME_SAMPLES, INIT_NAME, AudioJob
from mediaflow_ffmpeg.onekind import of_one_kind
from mediaflow_ffmpeg.opening import foretold_sound, sound_segments, sound_starts
from mediaflow_ffmpeg.pieces import Pieces
from mediaflow_ffmpeg.streaming import Fits, Streaming
from mediaflow_ffmpeg.verify import check_length, too_short

MOST_CUTS: Final = 8192
"""In one run: they are an argument of the command, which may have 128 KiB."""


def segment_count(job: AudioJob) -> int:
    """The segments of all the samples."""
    return len(sound_starts(job.exact_samples or 0, job.rate_hz, job.segment_seconds))


def part_of(job: AudioJob, part: Part) -> AudioJob:
    """The job that makes a part of what this one makes. TaskFailed (`job.bad_task`) when it has no such part."""
    unknown = set(part.tracks) - {rendition.name for rendition in job.renditions}
    if unknown or not job.sought or not 0 <= part.first <= part.first + part.count <= job.count:
        raise TaskFailed(f"There is no part {part} of {job.count} segments.", code="job.bad_task")
    chosen = tuple(rendition for rendition in job.renditions if rendition.name in part.tracks)
    return replace(job, renditions=chosen, first=part.first, count=part.count, tells=True)


def describe(job: AudioJob, group: str | None, track: WrittenTrack) -> Track:
    """The track for manifests."""
    return track.describe(language=job.language, audio_group=group)


def make_foretold(job: AudioJob, media: MediaInfo, stream_index: int, workspace: Workspace) -> list[Artifact]:
    """The job's segments, each just as long as foretold. MediaRejected when too much of the whole is missing."""
    if job.count == 0:
        return _init_segments(job, media, stream_index, workspace)
    streaming = _streaming(job, workspace)
    for first in range(job.first, job.first + job.count, MOST_CUTS):
        count = min(MOST_CUTS, job.first + job.count - first)
        _make_run(replace(job, first=first, count=count), media, stream_index, streaming)
    tracks = [read_track(workspace.directory / rendition.name, first=job.first) for rendition in job.renditions]
    _check(job, tracks)
    check_ends(tracks[-1], workspace)
    found = []
    for track in tracks:
        init, *segments = track.artifacts(describe(job, None, track))
        found += [_foretelling(job, init), *segments]
    return found


def _init_segments(job: AudioJob, media: MediaInfo, stream_index: int, workspace: Workspace) -> list[Artifact]:
    """Those of the whole tracks: a segment of sound takes less time than a program takes to start."""
    quiet = replace(workspace, made=lambda _artifact: None)
    made = make_foretold(replace(job, first=0, count=1), media, stream_index, quiet)
    inits = [artifact for artifact in made if artifact.role == "init"]
    for init in inits:
        workspace.made(init)
    return inits


def _make_run(job: AudioJob, media: MediaInfo, stream_index: int, streaming: Streaming) -> None:
    """Make all the segments of a run, with silence for what is missing in the end of the whole."""
    make = partial(_encode, media=media, stream_index=stream_index, streaming=streaming)
    whole_seconds = (job.exact_samples or 0) / job.rate_hz
    decoded = make(job)
    if decoded is not None and job.copied:
        raise _not_copied(job)
    if decoded is not None and streaming.workspace.partial:
        raise NeedsWholeSource(f"Sound ends at {float(decoded):.3f} s in a part of the source.")
    if decoded is not None and job.sought and job.first:
        job = replace(job, sought=False)
        decoded = make(job, again=True)
    # seen: an AVI whose clock runs a hundred times too fast, so that all but 20 ms looked like overlap
    if decoded is not None and too_short(decoded, whole_seconds):
        job = replace(job, by_count=True)
        decoded = make(job, again=True)
    if decoded is not None:
        check_length(decoded, whole_seconds)
        job = replace(job, padded=True)
        decoded = make(job, again=True)
    if decoded is not None:
        alike = of_one_kind(job, media, stream_index, streaming.workspace)
        _encode(alike.job, alike.media, 0, streaming, again=True, workspace=alike.workspace)


def _encode(
    job: AudioJob,
    media: MediaInfo,
    stream_index: int,
    streaming: Streaming,
    *,
    again: bool = False,
    workspace: Workspace | None = None,
) -> Fraction | None:
    """Run ffmpeg once. None when the segments are there in their lengths, else the second of the presentation that the
    sound ends at.
    """
    workspace, run = workspace or streaming.workspace, run_of(job)
    into, names = AGAIN if again else HERE, [rendition.name for rendition in job.renditions]
    pieces = Pieces(workspace.directory / into, workspace.directory, names, job.first, job.count, run.lead)
    pieces.make_room()
    complaints: list[str] = []

    def look() -> None:
        pieces.publish(streaming.told)
        streaming.look()

    encode(
        audio_command(job, media, workspace.source, into, careful=workspace.partial),
        media,
        stream_index,
        (run.end - run.begin) / job.rate_hz,
        workspace,
        look,
        into=into,
        begin_seconds=run.begin / job.rate_hz,
        proof=f"*/*.{RAW}",
        may_be_empty=job.first > 0,
        complain=complaints.append,
    )
    if job.copied and complaints:
        raise _damaged(complaints[0], workspace)
    pieces.publish(streaming.told, ended=True)
    streaming.look()
    return _end(job, workspace)


def _not_copied(job: AudioJob) -> TaskFailed:
    said = f"The sound can't be cut into {job.renditions[0].name} as it is; a profile without `copies` encodes it."
    return TaskFailed(said, code="job.bad_output")


def _damaged(said: str, workspace: Workspace) -> Exception:
    if workspace.partial:
        return NeedsWholeSource(f"A part of the source can't be taken as it is: {said}")
    # no failure that is tried again: what was told of before would not be looked at any more
    return undecodable("its sound can't be taken as it is", said)


def _end(job: AudioJob, workspace: Workspace) -> Fraction | None:
    samples, directory = job.exact_samples or 0, workspace.directory / job.renditions[0].name
    expected = sound_segments(samples, job.rate_hz, job.segment_seconds)[job.first : job.first + job.count]
    files = [directory / f"{number:05d}.m4s" for number in range(job.first, job.first + job.count)]
    if files[0].exists():
        init = read_init(directory / INIT_NAME)
        lengths = [read_segment(file, init).duration for file in files if file.exists()]
    else:
        lengths = []
    if lengths == expected:
        return None
    start = sound_starts(samples, job.rate_hz, job.segment_seconds)[job.first]
    return Fraction(max(0, start + sum(lengths) - FRAME_SAMPLES), job.rate_hz)


def _streaming(job: AudioJob, workspace: Workspace) -> Streaming:
    describe_all = {rendition.name: partial(describe, job, None) for rendition in job.renditions}
    return Streaming(workspace, describe_all, _fits(job), job.first, partial(_foretelling, job))


def _fits(job: AudioJob) -> Fits:
    samples = job.exact_samples or 0
    starts = sound_starts(samples, job.rate_hz, job.segment_seconds)
    lengths = sound_segments(samples, job.rate_hz, job.segment_seconds)

    def fits(track: WrittenTrack) -> bool:
        number = track.first
        begins = Fraction(starts[number] - job.priming_samples, job.rate_hz)
        return track.start_seconds(0) == begins and track.segments[0].duration == lengths[number]

    return fits


def _check(job: AudioJob, tracks: Sequence[WrittenTrack]) -> None:
    fits = _fits(job)
    for track in tracks:
        for position, segment in enumerate(track.segments):
            one = replace(track, first=track.first + position, segments=(segment,))
            if len(track.segments) != job.count or not fits(one):
                raise TaskFailed(f"{track.name}/{one.path(0).name} is not as foretold.", code="job.bad_output")


def _foretelling(job: AudioJob, init: Artifact) -> Artifact:
    """The init segment with all that is to come of its track, where that is to be told."""
    if not job.tells:
        return init
    bitrate = next(rendition.bitrate_bps for rendition in job.renditions if rendition.name == init.track)
    told = foretold_sound(job.exact_samples or 0, job.rate_hz, job.segment_seconds, bitrate, job.own)
    return replace(init, foretells=told)
