"""Runs the commands of a video job, until what lies there is what was planned."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from mediaflow.plugin import Artifact, MediaInfo, NeedsWholeSource, TaskFailed, Workspace, WrittenTrack
from mediaflow_ffmpeg.commands import AGAIN, HERE, video_command
from mediaflow_ffmpeg.copying import copy_command
from mediaflow_ffmpeg.cutting import RAW
from mediaflow_ffmpeg.encoding import COPY_STALL_SECONDS, STALL_SECONDS, encode
from mediaflow_ffmpeg.jobs import VideoJob
from mediaflow_ffmpeg.pieces import make_room, publish_numbered
from mediaflow_ffmpeg.streaming import Streaming
from mediaflow_ffmpeg.units import check_units
from mediaflow_ffmpeg.verify import check_length, read_tracks


def encoded(job: VideoJob, media: MediaInfo, streaming: Streaming, into: Path = HERE) -> list[WrittenTrack]:
    """What lies there when ffmpeg has run; [] when nothing came out of a part."""
    workspace, again = streaming.workspace, into != HERE
    look = (lambda: None) if again else streaming.look
    made = [
        written(run, command(run, media, workspace, into), media, workspace, look, into, streaming.complaints.append)
        for run in job.runs
    ]
    if not any(made):
        return []
    if again:
        streaming.take(workspace.directory / AGAIN)
    return read_tracks(workspace.directory, list(streaming.describe), job.span.first_segment)


def written(
    job: VideoJob,
    argv: Sequence[str],
    media: MediaInfo,
    workspace: Workspace,
    look: Callable[[], None] = lambda: None,
    into: Path = HERE,
    complain: Callable[[str], None] = lambda _line: None,
) -> bool:
    """Run the job's command, whose files get their names `into` a directory while it goes on, before each `look`. False
    when nothing came out of a part.
    """
    names, directory = [rendition.name for rendition in job.renditions], workspace.directory / into
    in_pieces, begin = bool(job.grid.begins), float(job.first_frame / job.grid.frame_rate)
    if in_pieces:
        make_room(directory, names)

    def named() -> None:
        if in_pieces:
            publish_numbered(directory, names)
        look()

    index = 0 if media.video is None else media.video.index
    proof = f"*/*.{RAW}" if in_pieces else "*/*.m4s"
    stall = COPY_STALL_SECONDS if job.copied else STALL_SECONDS
    run = partial(encode, argv, media, index, job.expected_seconds, workspace, named, into=into, begin_seconds=begin)
    made = run(proof=proof, may_be_empty=begin > 0, complain=complain, stall_seconds=stall)
    if in_pieces:
        publish_numbered(directory, names, ended=True)
    return made


def command(job: VideoJob, media: MediaInfo, workspace: Workspace, into: Path) -> list[str]:
    """The one ffmpeg that makes the job."""
    if job.copied:
        return copy_command(job, media, workspace.source, into)
    return video_command(job, media, workspace.source, into, careful=workspace.partial)


def exactly(job: VideoJob, media: MediaInfo, streaming: Streaming) -> list[WrittenTrack]:
    """Just the expected frames, at their times, also where the source is damaged: a part of it must not fail a film
    that passes as a whole. MediaRejected when too much of the whole is missing.
    """
    if job.copied and not streaming.workspace.partial:
        return _cut(job, media, streaming)
    tracks = encoded(job, media, streaming)
    frames = _frame_count(tracks)
    if streaming.workspace.partial and (frames < job.expected_frames or not _begins(job, tracks)):
        raise NeedsWholeSource(f"{frames} of {job.expected_frames} frames came of a part of the source.")
    if job.sought and not _begins(job, tracks):
        # where nothing can be decoded, the whole repeats what it saw before
        job = replace(job, sought=False, awaited=False)
        tracks = encoded(job, media, streaming, AGAIN)
        frames = _frame_count(tracks)
    if frames < job.expected_frames:
        rate = job.grid.frame_rate
        check_length((job.first_frame + frames) / rate, float((job.total_frames or job.expected_frames) / rate))
        tracks = encoded(replace(job, padded=True, awaited=False), media, streaming, AGAIN)
    return tracks


def _cut(job: VideoJob, media: MediaInfo, streaming: Streaming) -> list[WrittenTrack]:
    tracks: list[WrittenTrack] = []
    try:
        tracks = encoded(job, media, streaming)
        for track in tracks:
            check_units(track)
    except TaskFailed as error:
        tracks = []
        if error.code != "job.bad_output":
            raise
    if _frame_count(tracks) != job.expected_frames or not _begins(job, tracks):
        raise TaskFailed(
            f"The source can't be cut into {job.renditions[0].name} as it is; a profile without `copies` encodes it.",
            code="job.bad_output",
        )
    return tracks


def _frame_count(tracks: Sequence[WrittenTrack]) -> int:
    return sum(segment.sample_count for segment in tracks[0].segments) if tracks else 0


def _begins(job: VideoJob, tracks: Sequence[WrittenTrack]) -> bool:
    return bool(tracks) and tracks[0].start_seconds(0) == job.first_frame / job.grid.frame_rate


def damage(complaints: Sequence[str], workspace: Workspace) -> list[Artifact]:
    """Tells that the source's own pictures must not be shown as they are, when a decoder complained: an encoder hides
    errors that a browser ends with.
    """
    if not complaints:
        return []
    file = workspace.directory / "damage.json"
    file.write_text(json.dumps({"not_copied": "its pictures can't all be decoded", "said": complaints[0][:300]}))
    return [Artifact(file.name, "findings", "application/json", file.stat().st_size)]
