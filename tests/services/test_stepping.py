"""A step's task on its way into a child process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain.errors import MediaflowError, TaskFailed
from mediaflow.domain.records import Task
from mediaflow.domain.states import Lane
from mediaflow.services.pipeline.lease import Lease
from mediaflow.services.pipeline.stepping import NICE, Stepping
from mediaflow.services.ports import StepHooks, StepRequest
from mediaflow.testing.clips import make_clip
from tests.services.working import ingest, working_world


class Asked:
    """Runs no step, and remembers what was asked for."""

    def __init__(self) -> None:
        self.requests: list[StepRequest] = []

    def run(self, request: StepRequest, hooks: StepHooks) -> list[dict[str, Any]]:
        self.requests.append(request)
        return []


@pytest.mark.parametrize(("lane", "nice"), NICE.items())
def test_a_long_task_gives_way_to_others_on_the_cores(tmp_path: Path, lane: Lane, nice: int) -> None:
    with working_world(tmp_path) as world:
        runtime, asked = world.runtime, Asked()
        ingest(world, make_clip(tmp_path / "clip.mp4", seconds=0.5))
        runtime.execution.work("probe", "validate", "plan")
        stepping = runtime.execution.handlers["step"].__self__  # type: ignore[attr-defined]
        assert isinstance(stepping, Stepping)
        task: Task = replace(runtime.database.tasks.find({"stage": "step"}, limit=1)[0], lane=lane)
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
