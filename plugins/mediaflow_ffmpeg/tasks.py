"""The tasks of a film whose length is certain: what people watch first is made first, and what nobody watches last."""

from __future__ import annotations

from dataclasses import replace

from mediaflow.plugin import Part, PlannedTask, Reads, Span, TaskFailed, VideoRendition, to_json
from mediaflow_ffmpeg.commands import SEEK_MARGIN_SECONDS
from mediaflow_ffmpeg.jobs import INIT_FRAMES, VideoJob
from mediaflow_ffmpeg.opening import frame_seconds


def foretold_tasks(job: VideoJob, *, in_parts: bool) -> list[PlannedTask]:
    """The first segment of the smallest rendition, what opens the others, all of the smallest one, the rest from one
    decode; and those that are made on demand, where the source can be made `in_parts`. The smallest one is what viewers
    begin with, and never waits for demand.
    """
    smallest, frames = job.renditions[-1:], job.expected_frames
    others = job.renditions[:-1]
    demanded = tuple(r for r in others if r.when == "on_demand" and in_parts)
    eager = tuple(r for r in others if r not in demanded)
    opening = replace(job, total_frames=frames)
    first = replace(job.span, segment_count=1)
    count = min(frames, job.grid.segment_frames)
    awaited = replace(opening, renditions=smallest, span=first, expected_frames=count, awaited=True)
    task = planned("video-first", awaited, 0)
    tasks = [replace(task, reads=reads_of(job, 1))]
    if eager:
        task = planned("video-inits", replace(opening, renditions=eager, span=Span(0, 0, 0)), 0)
        # black frames: nothing of the source is decoded
        tasks.append(replace(task, reads=reads_of(job, 0)))
    whole = replace(job, exact=True, sought=in_parts)

    def made(name: str, renditions: tuple[VideoRendition, ...], rank: int) -> PlannedTask:
        task = planned(name, replace(whole, renditions=renditions), rank)
        return (
            replace(task, segments=whole.segment_count, reads=reads_of(whole, whole.segment_count))
            if in_parts
            else task
        )

    tasks.append(made("video-low" if others else "video-0", smallest, 1))
    if eager:
        tasks.append(made("video-0", eager, 2))
    if demanded:
        tasks.append(replace(made("video-on-demand", demanded, 2), when="on_demand"))
    return tasks


def reads_of(job: VideoJob, count: int) -> Reads:
    """What of the source the first so many segments need."""
    seconds = count * float(job.grid.segment_seconds)
    return Reads(job.origin_seconds, job.origin_seconds + seconds, float(SEEK_MARGIN_SECONDS))


def part_of(job: VideoJob, part: Part, *, awaited: bool = False) -> VideoJob:
    """The job that makes a part of what this one makes, `awaited` or not. TaskFailed (`job.bad_task`) when it has no
    such part.
    """
    unknown = set(part.tracks) - {rendition.name for rendition in job.renditions}
    if unknown or not job.sought or not 0 <= part.first <= part.first + part.count <= job.segment_count:
        raise TaskFailed(f"There is no part {part} of {job.segment_count} segments.", code="job.bad_task")
    frames = job.grid.segment_frames
    return replace(
        job,
        renditions=tuple(rendition for rendition in job.renditions if rendition.name in part.tracks),
        span=Span(0, part.first, part.count),
        expected_frames=min(part.count * frames, job.expected_frames - part.first * frames),
        total_frames=job.expected_frames,
        awaited=awaited,
    )


def planned(name: str, job: VideoJob, rank: int) -> PlannedTask:
    """A job as a task, with what it makes and costs."""
    cost = frame_seconds(job.renditions, job.source_pixels, job.encoder)
    frames = job.expected_frames if job.span.segment_count != 0 else INIT_FRAMES
    weight = round(max(0.1, frames * cost), 3)
    made = tuple(rendition.name for rendition in job.renditions)
    # without its beginning a film is still one that is published when it is made
    return PlannedTask(name, to_json(job), weight=weight, makes=made, rank=rank, optional=rank == 0)
