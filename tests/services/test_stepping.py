"""A step's task on its way into a child process."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain.errors import MediaflowError, MediaRejected, NeedsWholeSource, TaskFailed
from mediaflow.domain.records import Task
from mediaflow.domain.states import MAX_ATTEMPTS, Lane
from mediaflow.observability.metrics import PrometheusMetrics
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.services.originals.places import OriginalFiles
from mediaflow.services.pipeline.execution import Execution
from mediaflow.services.pipeline.lease import Lease
from mediaflow.services.pipeline.planning import Planning
from mediaflow.services.pipeline.sources import Sources
from mediaflow.services.pipeline.stepping import AHEAD_NICE, NICE, Stepping
from mediaflow.services.pipeline.stepports import StepHooks, StepRequest
from mediaflow.testing.clips import make_clip
from tests.services.remote import Remote
from tests.services.working import asset_of, ingest, working_world
from tests.services.world import World

MIB = 1024 * 1024


class Asked:
    """Runs no step, and remembers what was asked for."""

    def __init__(self) -> None:
        self.requests: list[StepRequest] = []

    def run(self, request: StepRequest, hooks: StepHooks) -> list[dict[str, Any]]:
        self.requests.append(request)
        return []


@pytest.mark.parametrize(
    ("lane", "weight", "nice"),
    [*((lane, 9.0, nice) for lane, nice in NICE.items()), ("first", 0.26, AHEAD_NICE), ("short", 0.26, NICE["short"])],
)
def test_a_long_task_gives_way_to_others_and_a_light_one_to_the_heavier_that_viewers_begin_with(
    tmp_path: Path, lane: Lane, weight: float, nice: int
) -> None:
    with working_world(tmp_path) as world:
        runtime, asked = world.runtime, Asked()
        ingest(world, make_clip(tmp_path / "clip.mp4", seconds=0.5))
        runtime.execution.work("probe", "validate", "plan")
        stepping = runtime.execution.handlers["step"].__self__  # type: ignore[attr-defined]
        assert isinstance(stepping, Stepping)
        task: Task = replace(runtime.database.tasks.find({"stage": "step"}, limit=1)[0], lane=lane, weight=weight)
        replace(stepping, steps=asked).run(task, Lease(runtime.execution.claims, task, lambda: False))
    assert [request.nice for request in asked.requests] == [nice]


class Bad:
    """A step whose output is bad."""

    def run(self, request: StepRequest, hooks: StepHooks) -> list[dict[str, Any]]:
        raise TaskFailed("The output is not as planned.", code="job.bad_output")


@pytest.mark.parametrize(("least", "code"), [(0, "job.bad_output"), (2**62, "storage.full")])
def test_what_fails_on_a_full_disk_has_failed_for_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, least: int, code: str
) -> None:
    """Seen: ffmpeg ended well and its files were empty, and the second time was the asset's end."""
    monkeypatch.setattr("mediaflow.services.pipeline.stepping.LEAST_FREE_BYTES", least)
    with working_world(tmp_path) as world:
        runtime = world.runtime
        ingest(world, make_clip(tmp_path / "clip.mp4", seconds=0.5))
        runtime.execution.work("probe", "validate", "plan")
        stepping = runtime.execution.handlers["step"].__self__  # type: ignore[attr-defined]
        task: Task = runtime.database.tasks.find({"stage": "step"}, limit=1)[0]
        with pytest.raises(MediaflowError) as caught:
            replace(stepping, steps=Bad()).run(task, Lease(runtime.execution.claims, task, lambda: False))
    assert caught.value.code == code


def padded_clip(path: Path, seconds: float) -> Path:
    """A clip with some megabytes behind it that nobody needs."""
    make_clip(path, seconds=seconds)
    with path.open("ab") as file:
        file.write((8 * MIB).to_bytes(4) + b"free" + bytes(8 * MIB - 8))
    return path


def far_away(world: World, directory: Path) -> tuple[Execution, Remote]:
    """The world's execution, whose originals come from elsewhere."""
    execution = world.runtime.execution
    remote = Remote(world.runtime.storage)
    sources = Sources(
        OriginalFiles(world.runtime.database, remote),
        directory / "cache",
        1 << 40,
        PrometheusMetrics(),
        SandboxedRunner("bwrap"),
        least_bytes=0,
    )
    planning, stepping = (execution.handlers[stage].__self__ for stage in ("plan", "step"))  # type: ignore[attr-defined]
    assert isinstance(planning, Planning)
    assert isinstance(stepping, Stepping)
    handlers = {
        **execution.handlers,
        "probe": replace(planning, sources=sources).probe,
        "step": replace(stepping, sources=sources).run,
    }
    return replace(execution, handlers=handlers), remote


def test_a_job_fetches_what_it_needs_of_an_original_elsewhere(tmp_path: Path) -> None:
    with working_world(tmp_path) as world:
        asset_id = ingest(world, padded_clip(tmp_path / "clip.mp4", 2.6))
        execution, remote = far_away(world, tmp_path)
        execution.work()
        asset = asset_of(world, asset_id)
        assert (asset.state, asset.error) == ("ready", None)
    assert 0 < remote.read_bytes <= asset.size_bytes - 6 * MIB


class Particular:
    """Does nothing with a part of a source but raise this."""

    def __init__(self, error: MediaflowError) -> None:
        self.error = error
        self.partial: list[bool] = []

    def run(self, request: StepRequest, hooks: StepHooks) -> list[dict[str, Any]]:
        self.partial.append(request.partial)
        if request.partial:
            Path(request.directory, "left").touch()
            raise self.error
        assert not Path(request.directory, "left").exists()
        return []


CASES: list[tuple[MediaflowError, int, list[bool]]] = [
    (NeedsWholeSource("There is more."), 0, [True, False]),
    (MediaRejected("Nothing of it can be decoded."), 0, [True, False]),
    (TaskFailed("The machine is too slow."), 0, [True]),
    (TaskFailed("The machine is too slow."), 1, [True]),
    (TaskFailed("The machine is too slow."), MAX_ATTEMPTS - 1, [False]),
]


def test_what_a_step_says_of_a_part_of_a_source_is_no_verdict(tmp_path: Path) -> None:
    with working_world(tmp_path) as world:
        ingest(world, padded_clip(tmp_path / "clip.mp4", 0.5))
        far_away(world, tmp_path)[0].work("probe", "validate", "plan")
        (task,) = (t for t in world.runtime.database.tasks.find({"stage": "step"}) if t.reads is not None)
        for number, (error, failures, seen) in enumerate(CASES):
            execution, _ = far_away(world, tmp_path / str(number))
            stepping = execution.handlers["step"].__self__  # type: ignore[attr-defined]
            steps, task = Particular(error), replace(task, failures=failures)
            with pytest.raises(type(error)) if seen == [True] else nullcontext():
                replace(stepping, steps=steps).run(task, Lease(execution.claims, task, lambda: False))
            assert steps.partial == seen
