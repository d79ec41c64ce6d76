"""The task that measures how loud a whole sound is, and what it tells the ones that encode it.

It is a task of its own, so that people begin to watch before it is done: playlists and init segments of the sound don't
depend on it, its segments wait for it. Every segment then has the same gain.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from mediaflow.plugin import Artifact, Limits, MediaInfo, PlannedTask, TaskFailed, TaskFiles, Workspace, to_json
from mediaflow_ffmpeg.commands import loudness_command
from mediaflow_ffmpeg.encoding import STALL_SECONDS, Progress, failure
from mediaflow_ffmpeg.jobs import AudioJob, Gain
from mediaflow_ffmpeg.loudness import Measured, read_summary, settled
from mediaflow_ffmpeg.onekind import of_one_kind

_COST: Final = 0.01
"""Seconds of one core for a second of sound: decoded, and its true peak looked for."""


def with_measuring(task: PlannedTask, job: AudioJob) -> list[PlannedTask]:
    """The task, and the one that measures for it, where a loudness is wished."""
    if job.loudness_lufs is None:
        return [task]
    name = f"{task.name[:31]}-loudness"  # a task's name has at most 40 characters
    measures = PlannedTask(
        name,
        to_json(replace(job, measures=True)),
        weight=round(max(0.1, min(job.expected_seconds, job.limit_seconds) * _COST), 3),
        optional=task.optional,
        makes=(f"{name}.json",),
        rank=task.rank,
    )
    return [measures, replace(task, needs=(measures.name,))]


def make_measured(name: str, job: AudioJob, media: MediaInfo, index: int, workspace: Workspace) -> list[Artifact]:
    """Measure the whole sound, and say by what gain it becomes as loud as wished."""
    target, known = job.loudness_lufs or 0.0, _measured(job, media, index, workspace)
    if known is None:  # it changes its rate or channels midway, and was measured in parts
        alike = of_one_kind(job, media, index, workspace)
        job, media, index, workspace = alike.job, alike.media, 0, alike.workspace
        known = _measured(job, media, index, workspace)
    if known is None:
        raise TaskFailed("ffmpeg does not say how loud the sound is.", code="job.bad_output")
    gain = settled(known, target, lambda tried: _measured(replace(job, gain=tried), media, index, workspace))
    file = workspace.directory / f"{name}.json"
    told = {
        "target_lufs": target,
        "measured_lufs": _finite(known.lufs),
        "measured_true_peak_dbtp": _finite(known.peak_dbtp),
        "gain_db": gain.db,
        "limited": gain.limited,
    }
    file.write_text(json.dumps(told))
    title = "How loud the sound was, and what was made of it"
    return [Artifact(file.name, "file", "application/json", file.stat().st_size, title=title)]


def gain_of(inputs: Mapping[str, TaskFiles]) -> Gain:
    """What the measuring task has found. TaskFailed (`job.incomplete`) where it could not."""
    files = next(iter(inputs.values()), None)
    if files is None:
        raise TaskFailed("How loud the sound is could not be measured.", code="job.incomplete")
    told = json.loads(files.path(files.artifacts[0]).read_text())
    return Gain(float(told["gain_db"]), bool(told["limited"]))


def _measured(job: AudioJob, media: MediaInfo, index: int, workspace: Workspace) -> Measured | None:
    argv: Sequence[str] = loudness_command(job, media, workspace.source, index)
    progress = Progress(job.expected_seconds, workspace.progress)
    limits = Limits(600 + job.expected_seconds, stall_seconds=STALL_SECONDS)
    completed = workspace.processes.run(argv, reads=[workspace.source], limits=limits, on_line=progress.line)
    if completed.returncode != 0:
        raise failure(completed, media, index, workspace)
    return read_summary(completed.stderr)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
