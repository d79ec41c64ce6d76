"""`video.h264`, `video.hevc` and `video.av1`: every rendition of the ladder from one decode, straight into CMAF
segments on one grid.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Final

from mediaflow.plugin import (
    Artifact,
    MediaInfo,
    NeedsWholeSource,
    PlannedTask,
    ProcessRunner,
    Profile,
    SegmentGrid,
    Span,
    StepSpec,
    StepTask,
    TaskFailed,
    Track,
    VideoRendition,
    VideoStream,
    Workspace,
    WrittenTrack,
    from_json,
    origin_seconds,
    plan_encode,
)
from mediaflow_ffmpeg import trial
from mediaflow_ffmpeg.choosing import chosen, encoder_of, wrong
from mediaflow_ffmpeg.commands import AGAIN, HERE, init_command, video_command
from mediaflow_ffmpeg.content import decided, found_out, may_decide
from mediaflow_ffmpeg.copying import copy_command
from mediaflow_ffmpeg.encoding import check_ends, encode, undecodable
from mediaflow_ffmpeg.families import FAMILIES, USUAL, Codec, of_codec
from mediaflow_ffmpeg.jobs import BUFFER_SECONDS, INIT_FRAMES, VideoJob
from mediaflow_ffmpeg.looking import Look, look_of
from mediaflow_ffmpeg.opening import can_be_foretold, foretold_video, frame_seconds
from mediaflow_ffmpeg.options import family_of
from mediaflow_ffmpeg.seeking import can_be_sought
from mediaflow_ffmpeg.streaming import Describe, Streaming
from mediaflow_ffmpeg.tasks import foretold_tasks, part_of, planned, tasks_beside
from mediaflow_ffmpeg.verify import check_grid, check_length, read_tracks

FIRST: Final = "video.h264"
"""Whoever stands beside it leaves the beginning to it: everything plays H.264."""


class EncodedVideo:
    """Parameters: encoder (of the step's codec), preset, crf, keyframe_seconds, and what else that encoder's row of the
    table knows; rates and sizes come from the ladder. Beside H.264 also min_height and when.

    Without `crf` each rendition has its own, by its size.
    """

    name: str
    codec: Codec

    def check(self, params: Mapping[str, Any]) -> Iterable[str]:
        return wrong(self.codec, params)

    def plan(self, media: MediaInfo, spec: StepSpec, profile: Profile) -> Sequence[PlannedTask]:
        first = self.name == FIRST
        plan = plan_encode(media, profile, suffix="" if first else self.codec)
        encoder = encoder_of(self.codec, spec.params)
        family = family_of(encoder)
        renditions = _measured(chosen(family, spec.params, plan.video), media.video)
        if media.video is None or plan.grid is None or not renditions:
            return []
        (span,) = plan.spans
        origin = origin_seconds(media)
        frames = _expected_frames(span, plan.grid, media.video, origin)
        pixels = media.video.width * media.video.height
        job = VideoJob(renditions, plan.grid, span, encoder, origin, frames, source_pixels=pixels)
        prefix = "video" if first else self.codec
        if not family.stitches or not can_be_foretold(media, plan, float(frames / plan.grid.frame_rate)):
            return [planned(f"{prefix}-0", job, 2)]
        if first or all(other.step != FIRST for other in profile.steps):
            in_parts = can_be_sought(media)
            encoded = renditions[1:] if renditions[0].copied else renditions
            look = look_of(plan.grid, encoded, origin) if in_parts and may_decide(encoder) else None
            return foretold_tasks(job, in_parts=in_parts, prefix=prefix, look=look)
        return tasks_beside(job, in_parts=can_be_sought(media), prefix=prefix)

    def devices(self, params: Mapping[str, Any]) -> Sequence[str]:
        """Those of the encoder: of a profile's parameters, or of a job's."""
        named = params.get("encoder", USUAL[self.codec])
        name = named["family"] if isinstance(named, Mapping) else named
        return FAMILIES[name].devices if name in FAMILIES else ()

    def abilities(self) -> Mapping[str, Mapping[str, Any]]:
        return trial.named(of_codec(self.codec))

    def lacks(self, params: Mapping[str, Any], processes: ProcessRunner) -> str | None:
        family = FAMILIES[encoder_of(self.codec, params).family]
        # without x264 nothing works, which is looked at elsewhere
        return None if family.encoder == USUAL["h264"] else trial.lacks(family, processes)

    def run(self, task: StepTask, workspace: Workspace) -> Sequence[Artifact]:
        if task.media.video is None:
            raise TaskFailed("A video task was planned for media without video.", code="job.bad_task")
        if "moments" in task.params:
            return found_out(from_json(Look, task.params), task.media, workspace)
        job = decided(from_json(VideoJob, task.params), task.findings)
        job = job if task.part is None else part_of(job, task.part, awaited=task.awaited)
        if job.span.segment_count == 0:
            return _init_segments(job, task.media, workspace)
        streaming = _streaming(job, workspace)
        encode_all = _exactly if job.exact else _encoded
        tracks = encode_all(job, task.media, streaming)
        _check(job, tracks)
        check_ends(tracks[-1], workspace)
        return [artifact for track in _described(job, tracks) for artifact in track]


class H264Video(EncodedVideo):
    """`video.h264`."""

    name = "video.h264"
    codec = "h264"


class HevcVideo(EncodedVideo):
    """`video.hevc`: renditions `720p-hevc`."""

    name = "video.hevc"
    codec = "hevc"


class Av1Video(EncodedVideo):
    """`video.av1`: renditions `720p-av1`."""

    name = "video.av1"
    codec = "av1"


def _measured(renditions: Sequence[VideoRendition], video: VideoStream | None) -> tuple[VideoRendition, ...]:
    """The renditions, of which a copied one has the bit rate that its groups of pictures have at most."""
    groups = None if video is None else video.groups
    if groups is None or not renditions or not renditions[0].copied:
        return tuple(renditions)
    most = math.ceil(groups.most_bytes * 8 * groups.frame_rate / groups.frames)
    return (replace(renditions[0], max_bitrate_bps=most), *renditions[1:])


def _encoded(job: VideoJob, media: MediaInfo, streaming: Streaming, into: Path = HERE) -> list[WrittenTrack]:
    """What lies there when ffmpeg has run; [] when nothing came out of a part."""
    workspace, again = streaming.workspace, into != HERE
    index = media.video.index if media.video is not None else 0
    begin = float(job.first_frame / job.grid.frame_rate)
    made = [
        encode(
            _command(run, media, workspace, into),
            media,
            index,
            job.expected_seconds,
            workspace,
            (lambda: None) if again else streaming.look,
            into=into,
            begin_seconds=begin,
            may_be_empty=begin > 0,
        )
        for run in job.runs
    ]
    if not any(made):
        return []
    if again:
        streaming.take(workspace.directory / AGAIN)
    return read_tracks(workspace.directory, list(streaming.describe), job.span.first_segment)


def _command(job: VideoJob, media: MediaInfo, workspace: Workspace, into: Path) -> list[str]:
    if job.copied:
        return copy_command(job, media, workspace.source, into)
    return video_command(job, media, workspace.source, into, careful=workspace.partial)


def _exactly(job: VideoJob, media: MediaInfo, streaming: Streaming) -> list[WrittenTrack]:
    """Just the expected frames, at their times, also where the source is damaged: a part of it must not fail a film
    that passes as a whole. MediaRejected when too much of the whole is missing.
    """
    tracks = _encoded(job, media, streaming)
    frames = _frame_count(tracks)
    if job.copied and not streaming.workspace.partial and (frames != job.expected_frames or not _begins(job, tracks)):
        raise TaskFailed(
            f"The source can't be cut into {job.renditions[0].name} as it is; a profile without `copies` encodes it.",
            code="job.bad_output",
        )
    if streaming.workspace.partial and (frames < job.expected_frames or not _begins(job, tracks)):
        raise NeedsWholeSource(f"{frames} of {job.expected_frames} frames came of a part of the source.")
    if job.sought and not _begins(job, tracks):
        # where nothing can be decoded, the whole repeats what it saw before
        job = replace(job, sought=False, awaited=False)
        tracks = _encoded(job, media, streaming, AGAIN)
        frames = _frame_count(tracks)
    if frames < job.expected_frames:
        rate = job.grid.frame_rate
        check_length((job.first_frame + frames) / rate, float((job.total_frames or job.expected_frames) / rate))
        tracks = _encoded(replace(job, padded=True, awaited=False), media, streaming, AGAIN)
    return tracks


def _frame_count(tracks: Sequence[WrittenTrack]) -> int:
    return sum(segment.sample_count for segment in tracks[0].segments) if tracks else 0


def _begins(job: VideoJob, tracks: Sequence[WrittenTrack]) -> bool:
    return bool(tracks) and tracks[0].start_seconds(0) == job.first_frame / job.grid.frame_rate


def _init_segments(job: VideoJob, media: MediaInfo, workspace: Workspace) -> list[Artifact]:
    """Those of the whole tracks, from black frames: the encoder writes the same ones for any frames."""
    few = replace(job, span=Span(0, 0, 1), expected_frames=INIT_FRAMES, exact=True)
    if media.video is not None:
        argv = _command(few, media, workspace, HERE) if job.copied else init_command(few, media.video, HERE)
        encode(argv, media, media.video.index, few.expected_seconds, workspace)
    tracks = read_tracks(workspace.directory, [rendition.name for rendition in few.renditions], 0)
    found = [artifacts[0] for artifacts in _described(few, tracks)]
    for init in found:
        workspace.made(init)
    return found


def _streaming(job: VideoJob, workspace: Workspace) -> Streaming:
    def fits(track: WrittenTrack) -> bool:
        left = job.first_frame + job.expected_frames - track.first * job.grid.segment_frames
        begins = track.start_seconds(0) == track.first * job.grid.segment_seconds
        return begins and track.segments[0].sample_count == min(left, job.grid.segment_frames)

    init = partial(_foretelling, job)
    # what is copied is there in a moment, and told of when its ends were decoded: nobody has encoded it
    told = job.exact and not job.copied
    return Streaming(workspace, _described_by(job), fits if told else None, job.span.first_segment, init)


def _described_by(job: VideoJob) -> dict[str, Describe]:
    return {rendition.name: partial(_describe, job, rendition) for rendition in job.renditions}


def _expected_frames(span: Span, grid: SegmentGrid, video: VideoStream, origin: float) -> int:
    """How many frames the span should give: those of its segments, the last span what is left of the video stream."""
    first = span.first_segment * grid.segment_frames
    ends = Fraction(video.start_seconds - origin + video.duration_seconds).limit_denominator(1_000_000)
    left = max(1, round(ends * grid.frame_rate) - first)
    return left if span.segment_count is None else min(left, span.segment_count * grid.segment_frames)


def _check(job: VideoJob, tracks: Sequence[WrittenTrack]) -> None:
    check_grid(tracks, job.grid)
    check_length(tracks[0].duration_seconds, job.expected_seconds)
    if job.total_frames is not None and not job.exact and tracks[0].segments[0].sample_count != job.expected_frames:
        raise undecodable("its picture does not begin as it should")
    for rendition, track in zip(job.renditions, tracks, strict=True):
        size = (track.init.width, track.init.height)
        if size != (rendition.width, rendition.height):
            raise TaskFailed(f"{rendition.name} came out as {size[0]}x{size[1]}.", code="job.bad_output")


def _described(job: VideoJob, tracks: Sequence[WrittenTrack]) -> Iterable[list[Artifact]]:
    for rendition, track in zip(job.renditions, tracks, strict=True):
        init, *segments = track.artifacts(_describe(job, rendition, track))
        yield [_foretelling(job, init), *segments]


def _foretelling(job: VideoJob, init: Artifact) -> Artifact:
    """The init segment with all that is to come of its track, where that is to be told."""
    if job.total_frames is None:
        return init
    rendition = next(each for each in job.renditions if each.name == init.track)
    cap = round(family_of(job.encoder).holds * rendition.max_bitrate_bps)
    alone = 0.0 if job.copied else frame_seconds((rendition,), job.source_pixels, job.encoder)
    # of what is copied no group has more than the cap
    buffer = 0 if job.copied else BUFFER_SECONDS * cap
    return replace(init, foretells=foretold_video(job.grid, job.total_frames, cap, buffer, alone))


def _describe(job: VideoJob, rendition: VideoRendition, track: WrittenTrack) -> Track:
    return track.describe(frame_rate=job.grid.frame_rate, audio_group=rendition.audio)
