"""`video.h264`: every rendition of the ladder from one decode, straight into CMAF segments on one grid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from mediaflow.plugin import (
    Artifact,
    EncodePlan,
    MediaInfo,
    PlannedTask,
    Profile,
    SegmentGrid,
    Span,
    StepSpec,
    StepTask,
    TaskFailed,
    VideoStream,
    Workspace,
    WrittenTrack,
    from_json,
    origin_seconds,
    plan_encode,
    to_json,
)
from mediaflow_ffmpeg.commands import HERE, video_command
from mediaflow_ffmpeg.encoding import check_decodes, encode
from mediaflow_ffmpeg.jobs import Encoder, VideoJob
from mediaflow_ffmpeg.params import Choice, Number, problems
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
        origin = origin_seconds(media)
        return [_planned(span, plan, plan.grid, media.video, encoder, origin) for span in plan.spans]

    def run(self, task: StepTask, workspace: Workspace) -> Sequence[Artifact]:
        job = from_json(VideoJob, task.params)
        if task.media.video is None:
            raise TaskFailed("A video task was planned for media without video.", code="job.bad_task")
        expected_seconds = float(job.expected_frames / job.grid.frame_rate)
        argv = video_command(job, task.media, workspace.source, HERE)
        encode(argv, task.media, task.media.video.index, expected_seconds, workspace)
        tracks = read_tracks(workspace.directory, [r.name for r in job.renditions], job.span.first_segment)
        _check(job, tracks, expected_seconds)
        smallest = tracks[-1]
        last = smallest.path(len(smallest.segments) - 1)
        check_decodes([smallest.directory / INIT_NAME, *dict.fromkeys([smallest.path(0), last])], workspace)
        return [artifact for track in _described(job, tracks) for artifact in track]


def _planned(
    span: Span, plan: EncodePlan, grid: SegmentGrid, video: VideoStream, encoder: Encoder, origin: float
) -> PlannedTask:
    frames = _expected_frames(span, grid, video, origin)
    job = VideoJob(plan.video, grid, span, encoder, origin, frames)
    encoded = sum(rendition.width * rendition.height for rendition in plan.video) * _PRESET_COST[encoder.preset]
    cost = encoded * _ENCODE_SECONDS_PER_PIXEL + video.width * video.height * _DECODE_SECONDS_PER_PIXEL
    weight = round(max(0.1, frames * cost), 3)
    made = tuple(rendition.name for rendition in plan.video)
    return PlannedTask(f"video-{span.index}", to_json(job), weight=weight, makes=made)


def _expected_frames(span: Span, grid: SegmentGrid, video: VideoStream, origin: float) -> int:
    """How many frames the span should give: those of its segments, the last span what is left of the video stream."""
    first = span.first_segment * grid.segment_frames
    ends = Fraction(video.start_seconds - origin + video.duration_seconds).limit_denominator(1_000_000)
    left = max(1, round(ends * grid.frame_rate) - first)
    return left if span.segment_count is None else min(left, span.segment_count * grid.segment_frames)


def _check(job: VideoJob, tracks: Sequence[WrittenTrack], expected_seconds: float) -> None:
    check_grid(tracks, job.grid)
    check_length(tracks[0], expected_seconds)
    for rendition, track in zip(job.renditions, tracks, strict=True):
        size = (track.init.width, track.init.height)
        if size != (rendition.width, rendition.height):
            raise TaskFailed(f"{rendition.name} came out as {size[0]}x{size[1]}.", code="job.bad_output")


def _described(job: VideoJob, tracks: Sequence[WrittenTrack]) -> Iterable[list[Artifact]]:
    for rendition, track in zip(job.renditions, tracks, strict=True):
        yield track.artifacts(track.describe(frame_rate=job.grid.frame_rate, audio_group=rendition.audio))
