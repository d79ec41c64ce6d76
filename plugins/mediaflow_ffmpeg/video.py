"""`video.h264`: every rendition of the ladder from one decode, straight into CMAF segments on one grid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any, Final

from mediaflow.plugin import (
    Artifact,
    MediaInfo,
    MediaSegment,
    PlannedTask,
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
    to_json,
)
from mediaflow_ffmpeg.commands import AGAIN, HERE, video_command
from mediaflow_ffmpeg.encoding import check_decodes, encode, undecodable
from mediaflow_ffmpeg.jobs import BUFFER_SECONDS, Encoder, VideoJob
from mediaflow_ffmpeg.opening import can_be_foretold, foretold_video
from mediaflow_ffmpeg.params import Choice, Number, problems
from mediaflow_ffmpeg.streaming import Streaming
from mediaflow_ffmpeg.verify import INIT_NAME, check_grid, check_length, read_tracks

_PRESET_COST: Final = {
    "ultrafast": 0.5,
    "superfast": 0.7,
    "veryfast": 1.0,
    "faster": 1.4,
    "fast": 1.7,
    "medium": 2.3,
    "slow": 4.0,
    "slower": 8.0,
    "veryslow": 15.0,
}
"""CPU time against veryfast (measured up to medium)."""
_ENCODE_SECONDS_PER_PIXEL: Final = 12e-9
_DECODE_SECONDS_PER_PIXEL: Final = 5e-9
PARAMS: Final = (
    Choice("preset", tuple(_PRESET_COST)),
    Number("crf", 10, 40),
    Choice("tune", ("film", "animation", "grain", "stillimage", "fastdecode")),
    Choice("profile", ("high", "main", "baseline")),
    Number("keyframe_seconds", 0.5, 10),
)


class H264Video:
    """Parameters: preset, crf, tune, profile (of H.264) and keyframe_seconds; rates and sizes come from the ladder."""

    name = "video.h264"

    def check(self, params: Mapping[str, Any]) -> Iterable[str]:
        return problems(params, PARAMS)

    def plan(self, media: MediaInfo, spec: StepSpec, profile: Profile) -> Sequence[PlannedTask]:
        plan = plan_encode(media, profile)
        if media.video is None or plan.grid is None:
            return []
        encoder = from_json(Encoder, dict(spec.params))
        (span,) = plan.spans
        origin = origin_seconds(media)
        frames = _expected_frames(span, plan.grid, media.video, origin)
        job = VideoJob(plan.video, plan.grid, span, encoder, origin, frames)
        if can_be_foretold(media, plan.grid) and frames > plan.grid.segment_frames:
            return [_planned(name, each, media.video, rank) for name, each, rank in _in_order(job)]
        return [_planned("video-0", job, media.video, 2)]

    def run(self, task: StepTask, workspace: Workspace) -> Sequence[Artifact]:
        job = from_json(VideoJob, task.params)
        if task.media.video is None:
            raise TaskFailed("A video task was planned for media without video.", code="job.bad_task")
        streaming = _streaming(job, workspace)
        tracks = _encoded(job, task.media, task.media.video.index, streaming)
        _check(job, tracks)
        if job.exact and tracks[0].duration_seconds < job.expected_frames / job.grid.frame_rate:
            tracks = _again(replace(job, padded=True), task.media, task.media.video.index, streaming)
            _check(job, tracks)
        smallest = tracks[-1]
        last = smallest.path(len(smallest.segments) - 1)
        check_decodes([smallest.directory / INIT_NAME, *dict.fromkeys([smallest.path(0), last])], workspace)
        return [artifact for track in _described(job, tracks) for artifact in track]


def _in_order(job: VideoJob) -> Iterator[tuple[str, VideoJob, int]]:
    """What people watch first is made first: the first segment of the smallest rendition, all of it, then the rest."""
    smallest, frames = job.renditions[-1:], job.grid.segment_frames
    opening = replace(job.span, segment_count=1)
    yield (
        "video-first",
        replace(job, renditions=smallest, span=opening, expected_frames=frames, total_frames=job.expected_frames),
        0,
    )
    if len(job.renditions) == 1:
        yield "video-0", replace(job, exact=True), 1
    else:
        yield "video-low", replace(job, renditions=smallest, exact=True), 1
        yield "video-0", replace(job, renditions=job.renditions[:-1], exact=True), 2


def _planned(name: str, job: VideoJob, video: VideoStream, rank: int) -> PlannedTask:
    encoded = sum(rendition.width * rendition.height for rendition in job.renditions) * _PRESET_COST[job.encoder.preset]
    cost = encoded * _ENCODE_SECONDS_PER_PIXEL + video.width * video.height * _DECODE_SECONDS_PER_PIXEL
    weight = round(max(0.1, job.expected_frames * cost), 3)
    made = tuple(rendition.name for rendition in job.renditions)
    # without its beginning a film is still one that is published when it is made
    return PlannedTask(name, to_json(job), weight=weight, makes=made, rank=rank, optional=rank == 0)


def _encoded(job: VideoJob, media: MediaInfo, stream_index: int, streaming: Streaming) -> list[WrittenTrack]:
    workspace = streaming.workspace
    argv = video_command(job, media, workspace.source, HERE)
    encode(argv, media, stream_index, job.expected_seconds, workspace, streaming.look)
    return read_tracks(workspace.directory, list(streaming.describe), job.span.first_segment)


def _again(job: VideoJob, media: MediaInfo, stream_index: int, streaming: Streaming) -> list[WrittenTrack]:
    workspace = streaming.workspace
    argv = video_command(job, media, workspace.source, AGAIN)
    encode(argv, media, stream_index, job.expected_seconds, workspace, into=AGAIN)
    streaming.take(workspace.directory / AGAIN)
    return read_tracks(workspace.directory, list(streaming.describe), job.span.first_segment)


def _streaming(job: VideoJob, workspace: Workspace) -> Streaming:
    def fits(number: int, segment: MediaSegment) -> bool:
        left = job.expected_frames - number * job.grid.segment_frames
        return segment.sample_count == min(left, job.grid.segment_frames)

    describe = {r.name: partial(_describe, job, r) for r in job.renditions}
    return Streaming(workspace, describe, fits if job.exact else None)


def _expected_frames(span: Span, grid: SegmentGrid, video: VideoStream, origin: float) -> int:
    """How many frames the span should give: those of its segments, the last span what is left of the video stream."""
    first = span.first_segment * grid.segment_frames
    ends = Fraction(video.start_seconds - origin + video.duration_seconds).limit_denominator(1_000_000)
    left = max(1, round(ends * grid.frame_rate) - first)
    return left if span.segment_count is None else min(left, span.segment_count * grid.segment_frames)


def _check(job: VideoJob, tracks: Sequence[WrittenTrack]) -> None:
    check_grid(tracks, job.grid)
    check_length(tracks[0], job.expected_seconds)
    if job.total_frames is not None and tracks[0].segments[0].sample_count != job.expected_frames:
        raise undecodable("its picture does not begin as it should")
    for rendition, track in zip(job.renditions, tracks, strict=True):
        size = (track.init.width, track.init.height)
        if size != (rendition.width, rendition.height):
            raise TaskFailed(f"{rendition.name} came out as {size[0]}x{size[1]}.", code="job.bad_output")


def _described(job: VideoJob, tracks: Sequence[WrittenTrack]) -> Iterable[list[Artifact]]:
    for rendition, track in zip(job.renditions, tracks, strict=True):
        init, *segments = track.artifacts(_describe(job, rendition, track))
        if job.total_frames is not None:
            cap = rendition.max_bitrate_bps
            init = replace(init, foretells=foretold_video(job.grid, job.total_frames, cap, BUFFER_SECONDS * cap))
        yield [init, *segments]


def _describe(job: VideoJob, rendition: VideoRendition, track: WrittenTrack) -> Track:
    return track.describe(frame_rate=job.grid.frame_rate, audio_group=rendition.audio)
