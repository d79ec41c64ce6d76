"""The tasks of a film whose length is certain: what people watch first is made first, and what nobody watches last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mediaflow.plugin import Part, PlannedTask, Reads, Span, TaskFailed, VideoRendition, to_json
from mediaflow_ffmpeg.commands import SEEK_MARGIN_SECONDS
from mediaflow_ffmpeg.jobs import INIT_FRAMES, Encoder, VideoJob
from mediaflow_ffmpeg.looking import START_SECONDS, Look
from mediaflow_ffmpeg.opening import frame_seconds

COPY_SECONDS = 0.0005
"""Of a core, for a frame of 5 Mbit/s that is not decoded."""


def foretold_tasks(
    job: VideoJob, *, in_parts: bool, prefix: str = "video", look: Look | None = None
) -> list[PlannedTask]:
    """The first segment of the smallest rendition, what opens the others, all of the smallest one, the rest from one
    decode; and those that are made on demand, where the source can be made `in_parts`. The smallest one is what viewers
    begin with, and never waits for demand, nor for the `look` that decides how good the others are.
    """
    if job.renditions[0].copied and in_parts:
        return [*_copied(job, prefix), *_beside_copy(job, in_parts=in_parts, prefix=prefix)]
    smallest, frames = job.renditions[-1:], job.expected_frames
    others = job.renditions[:-1]
    demanded, eager = _by_demand(others, in_parts=in_parts)
    opening = replace(job, total_frames=frames)
    first = replace(job.span, segment_count=1)
    count = min(frames, *job.grid.frames_of(0, 1))
    awaited = replace(opening, renditions=smallest, span=first, expected_frames=count, awaited=True)
    task = planned(f"{prefix}-first", awaited, 0)
    tasks = [replace(task, reads=reads_of(job, 1))]
    if eager:
        tasks.append(_inits(job, eager, prefix))
    tasks.append(_made(job, f"{prefix}-low" if others else f"{prefix}-0", smallest, 1, in_parts=in_parts))
    if eager:
        tasks.append(_made(job, f"{prefix}-0", eager, 2, in_parts=in_parts))
    if demanded:
        tasks.append(_demanded(job, demanded, prefix))
    return tasks if look is None else _looked(tasks, look, job, f"{prefix}-look")


def _copied(job: VideoJob, prefix: str) -> list[PlannedTask]:
    """The largest rendition as the source has it, with which people begin: its first segment, and all of it. A film
    without it is still one: what can't be cut after all is left out.
    """
    whole = replace(job, renditions=job.renditions[:1], exact=True, sought=True, copied=True)
    first = part_of(whole, Part((whole.renditions[0].name,), 0, 1))
    opens = replace(planned(f"{prefix}-copy-first", first, 0), reads=reads_of(job, 1))
    made = planned(f"{prefix}-copy", whole, 1)
    reads = reads_of(whole, whole.segment_count)
    return [opens, replace(made, segments=whole.segment_count, reads=reads, optional=True)]


def _beside_copy(job: VideoJob, *, in_parts: bool, prefix: str) -> list[PlannedTask]:
    """The smaller ones, all from one decode: nobody waits for the smallest where the largest is there at once."""
    job = replace(job, renditions=job.renditions[1:])
    demanded, eager = _by_demand(job.renditions[:-1], in_parts=in_parts)
    eager += job.renditions[-1:]
    beside = replace(job, beside_copy=True)
    tasks = [_inits(job, eager, prefix), _made(beside, f"{prefix}-0", eager, 2, in_parts=in_parts)]
    return [*tasks, _demanded(job, demanded, prefix)] if demanded else tasks


def _looked(tasks: Sequence[PlannedTask], look: Look, job: VideoJob, name: str) -> list[PlannedTask]:
    """With the task that looks, which whatever is not watched first needs. What is made on demand has it if it is there
    by then, and waits for nothing: its init segment lets viewers begin.
    """
    cost = frame_seconds((look.size,), job.source_pixels, Encoder(preset="superfast"))
    weight = round(len(look.moments) * (look.frames * cost + START_SECONDS), 3)
    looking = PlannedTask(name, to_json(look), weight=weight, rank=1, optional=True)
    return [
        looking,
        *(replace(task, needs=(name,)) if task.rank == 2 and task.when == "eager" else task for task in tasks),
    ]


def tasks_beside(job: VideoJob, *, in_parts: bool, prefix: str) -> list[PlannedTask]:
    """The same of a codec that stands beside another one, with which people begin: what opens the renditions, then all
    of them. Without those that are made on demand a film is still one that plays.
    """
    demanded, eager = _by_demand(job.renditions, in_parts=in_parts)
    tasks = []
    if eager:
        tasks = [_inits(job, eager, prefix), _made(job, f"{prefix}-0", eager, 2, in_parts=in_parts)]
    if demanded:
        tasks.append(replace(_demanded(job, demanded, prefix), optional=True))
    return tasks


def _by_demand(
    renditions: tuple[VideoRendition, ...], *, in_parts: bool
) -> tuple[tuple[VideoRendition, ...], tuple[VideoRendition, ...]]:
    """Those that are made when they are asked for, where a source can be made in parts, and the others."""
    demanded = tuple(r for r in renditions if r.when == "on_demand" and in_parts)
    return demanded, tuple(r for r in renditions if r not in demanded)


def _inits(job: VideoJob, renditions: tuple[VideoRendition, ...], prefix: str) -> PlannedTask:
    opening = replace(job, renditions=renditions, total_frames=job.expected_frames, span=Span(0, 0, 0))
    # black frames: nothing of the source is decoded
    return replace(planned(f"{prefix}-inits", opening, 0), reads=reads_of(job, 0))


def _made(
    job: VideoJob, name: str, renditions: tuple[VideoRendition, ...], rank: int, *, in_parts: bool
) -> PlannedTask:
    whole = replace(job, renditions=renditions, exact=True, sought=in_parts)
    task = planned(name, whole, rank)
    if not in_parts:
        return task
    return replace(task, segments=whole.segment_count, reads=reads_of(whole, whole.segment_count))


def _demanded(job: VideoJob, renditions: tuple[VideoRendition, ...], prefix: str) -> PlannedTask:
    return replace(_made(job, f"{prefix}-on-demand", renditions, 2, in_parts=True), when="on_demand")


def reads_of(job: VideoJob, count: int) -> Reads:
    """What of the source the first so many segments need."""
    begins = [job.grid.first_frame(number) / job.grid.frame_rate for number in range(count + 1)]
    *told, end = (job.origin_seconds + float(begin) for begin in begins)
    edges = tuple(round(begin, 6) for begin in told) if job.grid.begins else ()
    return Reads(job.origin_seconds, end, float(SEEK_MARGIN_SECONDS), edges)


def part_of(job: VideoJob, part: Part, *, awaited: bool = False) -> VideoJob:
    """The job that makes a part of what this one makes, `awaited` or not. TaskFailed (`job.bad_task`) when it has no
    such part.
    """
    unknown = set(part.tracks) - {rendition.name for rendition in job.renditions}
    if unknown or not job.sought or not 0 <= part.first <= part.first + part.count <= job.segment_count:
        raise TaskFailed(f"There is no part {part} of {job.segment_count} segments.", code="job.bad_task")
    frames = sum(job.grid.frames_of(part.first, part.count))
    return replace(
        job,
        renditions=tuple(rendition for rendition in job.renditions if rendition.name in part.tracks),
        span=Span(0, part.first, part.count),
        expected_frames=min(frames, job.expected_frames - job.grid.first_frame(part.first)),
        total_frames=job.expected_frames,
        awaited=awaited,
    )


def planned(name: str, job: VideoJob, rank: int) -> PlannedTask:
    """A job as a task, with what it makes and costs."""
    cost = COPY_SECONDS if job.copied else frame_seconds(job.renditions, job.source_pixels, job.encoder)
    frames = job.expected_frames if job.span.segment_count != 0 else INIT_FRAMES
    weight = round(max(0.1, frames * cost), 3)
    made = tuple(rendition.name for rendition in job.renditions)
    # without its beginning a film is still one that is published when it is made
    job = replace(job, grid=replace(job.grid, begins=()))
    return PlannedTask(name, to_json(job), weight=weight, makes=made, rank=rank, optional=rank == 0)
