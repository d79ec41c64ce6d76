"""`video.h264`, `video.hevc` and `video.av1`: every rendition of the ladder from one decode, straight into CMAF
segments on one grid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any, Final

from mediaflow.plugin import (
    Artifact,
    EncodePlan,
    MediaInfo,
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
    segments_of_groups,
)
from mediaflow_ffmpeg import trial
from mediaflow_ffmpeg.choosing import chosen, encoder_of, wrong
from mediaflow_ffmpeg.commands import HERE, init_command
from mediaflow_ffmpeg.content import decided, found_out, may_decide
from mediaflow_ffmpeg.encoding import check_ends, undecodable
from mediaflow_ffmpeg.families import FAMILIES, USUAL, Codec, of_codec
from mediaflow_ffmpeg.jobs import BUFFER_SECONDS, INIT_FRAMES, Encoder, VideoJob
from mediaflow_ffmpeg.looking import Look, look_of
from mediaflow_ffmpeg.making import command, damage, encoded, exactly, written
from mediaflow_ffmpeg.opening import can_be_foretold, foretold_video, frame_seconds
from mediaflow_ffmpeg.options import family_of
from mediaflow_ffmpeg.seeking import can_be_sought
from mediaflow_ffmpeg.streaming import Describe, Streaming
from mediaflow_ffmpeg.tasks import foretold_tasks, part_of, planned, tasks_beside
from mediaflow_ffmpeg.verify import check_grid, check_length, read_tracks

FIRST: Final = "video.h264"
"""Whoever stands beside it leaves the beginning to it: everything plays H.264."""
BESIDE: Final = ("video.hevc", "video.av1")
"""Not every encoder of theirs begins a group of pictures with any frame that it is asked to."""


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
        encoder = encoder_of(self.codec, spec.params)
        family = family_of(encoder)
        plan = self._encode_plan(media, encoder, profile)
        renditions = chosen(family, spec.params, plan.video)
        if media.video is None or plan.grid is None or not renditions:
            return []
        (span,) = plan.spans
        origin = origin_seconds(media)
        frames = _expected_frames(span, plan.grid, media.video, origin)
        pixels = media.video.width * media.video.height
        job = VideoJob(renditions, plan.grid, span, encoder, origin, frames, source_pixels=pixels)
        job = replace(job, group_seconds=profile.segment_seconds if plan.grid.begins else None)
        prefix = "video" if first else self.codec
        if not family.stitches or not can_be_foretold(media, plan, float(frames / plan.grid.frame_rate)):
            if job.grid.begins:  # what ends nobody knows where is made in segments of one length
                return self.plan(media, spec, replace(profile, copies=False))
            return [planned(f"{prefix}-0", job, 2)]
        if first or all(other.step != FIRST for other in profile.steps):
            in_parts = can_be_sought(media)
            # what is worth its bits beside a copied size follows from that one's own
            looks = in_parts and may_decide(encoder) and not renditions[0].copied
            look = look_of(plan.grid, renditions, origin) if looks else None
            return foretold_tasks(job, in_parts=in_parts, prefix=prefix, look=look)
        return tasks_beside(job, in_parts=can_be_sought(media), prefix=prefix)

    def _encode_plan(self, media: MediaInfo, encoder: Encoder, profile: Profile) -> EncodePlan:
        """Segments of different lengths are made of H.264 by x264 alone."""
        first = self.name == FIRST
        uneven = first and encoder.family == USUAL["h264"] and not any(other.step in BESIDE for other in profile.steps)
        return plan_encode(media, profile, suffix="" if first else self.codec, uneven=uneven)

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
        job = decided(_placed(from_json(VideoJob, task.params), task.media), task.findings)
        job = job if task.part is None else part_of(job, task.part, awaited=task.awaited)
        if job.span.segment_count == 0:
            return _init_segments(job, task.media, workspace)
        streaming = _streaming(job, workspace)
        make = exactly if job.exact else encoded
        tracks = make(job, task.media, streaming)
        _check(job, tracks)
        check_ends(tracks[-1], workspace)
        made = [artifact for track in _described(job, tracks) for artifact in track]
        return [*made, *damage(streaming.complaints, workspace)] if job.beside_copy else made


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


def _placed(job: VideoJob, media: MediaInfo) -> VideoJob:
    """The job, whose grid lists where segments begin, if they are not equally long."""
    groups = None if media.video is None else media.video.groups
    if job.group_seconds is None or groups is None:
        return job
    begins = segments_of_groups(groups, job.group_seconds) or ()
    return replace(job, grid=replace(job.grid, begins=begins))


def _init_segments(job: VideoJob, media: MediaInfo, workspace: Workspace) -> list[Artifact]:
    """Those of the whole tracks, from black frames: the encoder writes the same ones for any frames."""
    few = replace(job, span=Span(0, 0, 1), expected_frames=INIT_FRAMES, exact=True)
    if media.video is not None:
        argv = command(few, media, workspace, HERE) if job.copied else init_command(few, media.video, HERE)
        written(few, argv, media, workspace)
    tracks = read_tracks(workspace.directory, [rendition.name for rendition in few.renditions], 0)
    found = [artifacts[0] for artifacts in _described(few, tracks)]
    for init in found:
        workspace.made(init)
    return found


def _streaming(job: VideoJob, workspace: Workspace) -> Streaming:
    def fits(track: WrittenTrack) -> bool:
        first = job.grid.first_frame(track.first)
        frames = min(job.first_frame + job.expected_frames - first, *job.grid.frames_of(track.first, 1))
        begins = track.start_seconds(0) == first / job.grid.frame_rate
        return begins and track.segments[0].sample_count == frames

    init = partial(_foretelling, job)
    # what is copied is there in a moment, and told of when its ends were decoded: nobody has encoded it
    told = job.exact and not job.copied
    return Streaming(workspace, _described_by(job), fits if told else None, job.span.first_segment, init)


def _described_by(job: VideoJob) -> dict[str, Describe]:
    return {rendition.name: partial(_describe, job, rendition) for rendition in job.renditions}


def _expected_frames(span: Span, grid: SegmentGrid, video: VideoStream, origin: float) -> int:
    """How many frames the span should give: those of its segments, the last span what is left of the video stream."""
    first = grid.first_frame(span.first_segment)
    ends = Fraction(video.start_seconds - origin + video.duration_seconds).limit_denominator(1_000_000)
    left = max(1, round(ends * grid.frame_rate) - first)
    return (
        left if span.segment_count is None else min(left, sum(grid.frames_of(span.first_segment, span.segment_count)))
    )


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
