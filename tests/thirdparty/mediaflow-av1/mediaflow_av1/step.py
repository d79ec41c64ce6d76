"""The step `video.svtav1`: each rendition of the ladder by SVT-AV1, as CMAF segments on the grid of `video.h264`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mediaflow.plugin import (
    ALLOCATION_BYTES,
    MEDIA_OFFSET_SECONDS,
    Artifact,
    EncodePlan,
    Limits,
    MediaInfo,
    PlannedTask,
    Profile,
    SegmentGrid,
    StepSpec,
    StepTask,
    TaskFailed,
    VideoRendition,
    Workspace,
    from_json,
    origin_seconds,
    plan_encode,
    read_track,
    safe_input_options,
    to_json,
)

RANGES = {"preset": (4, 13), "crf": (15, 60)}
USUAL = {"preset": 10, "crf": 35}
SECONDS_PER_PIXEL = 40e-9
"""Of one core, at preset 10."""


class Av1Video:
    """`params: {preset: 10, crf: 35}`; sizes and greatest rates are those of the ladder."""

    name = "video.svtav1"

    def check(self, params: Mapping[str, Any]) -> Iterable[str]:
        for name, value in params.items():
            if name not in RANGES:
                yield f"{name}: this parameter is unknown; there are {', '.join(RANGES)}"
            elif type(value) is not int or not RANGES[name][0] <= value <= RANGES[name][1]:
                yield f"{name}: {value!r} is not a whole number from {RANGES[name][0]} to {RANGES[name][1]}"

    def plan(self, media: MediaInfo, spec: StepSpec, profile: Profile) -> Sequence[PlannedTask]:
        """A task for each rendition: another worker may have a core free."""
        plan = plan_encode(media, profile, suffix="av1")
        return [self._planned(plan, rendition, media, {**USUAL, **spec.params}) for rendition in plan.video]

    def _planned(
        self, plan: EncodePlan, rendition: VideoRendition, media: MediaInfo, params: Mapping[str, int]
    ) -> PlannedTask:
        pixels = rendition.width * rendition.height * (plan.grid.frame_count if plan.grid else 0)
        job = {"rendition": to_json(rendition), "grid": to_json(plan.grid), "origin": origin_seconds(media), **params}
        weight = max(0.1, pixels * SECONDS_PER_PIXEL)
        return PlannedTask(f"video-{rendition.name}", job, load_units=2, weight=weight, makes=(rendition.name,))

    def run(self, task: StepTask, workspace: Workspace) -> Sequence[Artifact]:
        """One ffmpeg, whose exit code says little: what it wrote is read back."""
        rendition = from_json(VideoRendition, task.params["rendition"])
        grid = from_json(SegmentGrid, task.params["grid"])
        directory, seconds = workspace.directory / rendition.name, float(grid.frame_count / grid.frame_rate)
        directory.mkdir()
        done = workspace.processes.run(
            _command(task, rendition, grid, workspace),
            reads=[workspace.source],
            writes=workspace.directory,
            limits=Limits(wall_seconds=600 + 240 * seconds, stall_seconds=120),
            on_line=_progress(workspace, seconds),
        )
        if done.returncode != 0:
            raise TaskFailed(f"ffmpeg ended with {done.returncode}: {done.stderr[-300:]}", code="job.ffmpeg_failed")
        written = read_track(directory)
        written.check_grid(grid)
        if written.duration_seconds < 0.9 * seconds - 0.5:
            lasts = float(written.duration_seconds)
            raise TaskFailed(f"{rendition.name} lasts {lasts:.1f} of {seconds:.1f} s", code="job.bad_output")
        return written.artifacts(written.describe(frame_rate=grid.frame_rate, audio_group=rendition.audio))


def _command(task: StepTask, rendition: VideoRendition, grid: SegmentGrid, workspace: Workspace) -> list[str]:
    if task.media.video is None:
        raise TaskFailed("A video task was planned for media without video.", code="job.bad_task")
    deinterlace = "bwdif=mode=send_frame," if task.media.video.interlaced else ""
    return [
        *("ffmpeg", "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-progress", "pipe:1"),
        *("-max_alloc", str(ALLOCATION_BYTES), *safe_input_options(task.media.container)),
        # never nothing: without the option some containers are counted from another moment
        *("-itsoffset", f"{-task.params['origin'] or 0.000001:.6f}", "-i", f"file:{workspace.source}"),
        *("-map", f"0:{task.media.video.index}", "-vf", deinterlace + _filters(rendition, grid)),
        *("-c:v", "libsvtav1", "-preset", str(task.params["preset"]), "-crf", str(task.params["crf"])),
        # closed groups of pictures, one a segment
        *("-g", str(grid.segment_frames), "-flags:v", "+cgop", "-fps_mode", "passthrough"),
        *("-f", "hls", "-hls_time", f"{float(grid.segment_seconds):.6f}", "-hls_playlist_type", "vod"),
        *("-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", "init.mp4"),
        # decode times are the presentation's own
        *("-hls_segment_options", "movflags=+frag_discont+frag_custom+dash+delay_moov+default_base_moof"),
        *("-output_ts_offset", str(MEDIA_OFFSET_SECONDS), "-map_metadata", "-1", "-map_chapters", "-1"),
        *("-hls_segment_filename", f"{rendition.name}/%05d.m4s", f"{rendition.name}/index.m3u8"),
    ]


def _filters(rendition: VideoRendition, grid: SegmentGrid) -> str:
    size = f"scale={rendition.width}:{rendition.height}:flags=bicubic,setsar=1,format=yuv420p"
    return f"fps={grid.frame_rate}:start_time=0,{size}"


def _progress(workspace: Workspace, seconds: float) -> Callable[[str], None]:
    def line(text: str) -> None:
        key, _, value = text.strip().partition("=")
        if key == "out_time_us" and value.isdigit():
            workspace.progress(min(1.0, int(value) / 1e6 / max(seconds, 0.001)))

    return line
