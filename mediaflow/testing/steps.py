"""`StepContract`: what every step must hold. Subclass it in your package's tests and give it your step.

class TestMyStep(StepContract):
    bad_params = {"speed": "sideways"}
    settings = {"mine_url": "http://127.0.0.1:9"}  # when `run` looks at a setting

    @pytest.fixture
    def step(self) -> Step:
        return MyStep()

    @pytest.fixture
    def inputs(self, media, source, tmp_path, processes) -> Mapping[str, TaskFiles]:  # when a task has `needs`
        directory = tmp_path / "needed"
        made = run_task(Other(), PlannedTask("other-0"), media, source, directory, processes)
        return {"other-0": TaskFiles(directory, tuple(made))}
"""

# ruff: noqa: S101
# assertions are what these classes are for

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pytest

from mediaflow.media.probe import probe
from mediaflow.plugin import (
    Artifact,
    MediaInfo,
    Part,
    PlannedTask,
    ProcessRunner,
    Profile,
    Rung,
    Step,
    StepSpec,
    StepTask,
    TaskFiles,
    Workspace,
)
from mediaflow.plugin.wire import dump, unfit_params
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.services.pipeline.findings import taken_from
from mediaflow.testing import clips
from mediaflow.testing.artifacts import check_file, check_opening, check_part, check_segments, check_told
from mediaflow.testing.parts import needs_of, some_parts

SMALL_LADDER = (Rung("180p", 180, 400_000, 96_000), Rung("90p", 90, 150_000, 64_000))
"""A ladder for clips of 320x180, quick to encode."""


def profile_of(*steps: StepSpec, ladder: tuple[Rung, ...] = SMALL_LADDER, segment_seconds: float = 2.0) -> Profile:
    """A profile with these steps, for tests."""
    return Profile("test", "for tests", segment_seconds, 60, ladder, steps, ())


def probed(source: Path, processes: ProcessRunner) -> MediaInfo:
    """The probe's facts of a test's source."""
    return probe(source, processes, max_streams=32, max_pixels=75_000_000)


def run_task(
    step: Step,
    planned: PlannedTask,
    media: MediaInfo,
    source: Path,
    directory: Path,
    processes: ProcessRunner,
    *,
    settings: Mapping[str, Any] | None = None,
    inputs: Mapping[str, TaskFiles] | None = None,
    progress: Callable[[float], None] = lambda _: None,
    made: Callable[[Artifact], None] = lambda _: None,
    part: Part | None = None,
    awaited: bool = False,
    findings: Mapping[str, Any] | None = None,
) -> list[Artifact]:
    """Run one planned task, or a part of it, `awaited` or not, as the worker does: its parameters as JSON, in a
    directory of its own, which is made here.

    `inputs` are what the tasks made that it needs, by their names, and `findings` what they found out. `made` is told
    of what is whole before the end.
    """
    directory.mkdir(parents=True)
    params = json.loads(json.dumps(dict(planned.params)))
    task = StepTask(planned.name, params, media, part, awaited=awaited, findings=findings or {})
    workspace = Workspace(directory, source, progress, processes, dict(settings or {}), inputs or {}, made)
    return list(step.run(task, workspace))


class RunAll(Protocol):
    """Runs every planned task of a step, each in a directory of its name below `root`; the artifacts by task. `told` is
    called with the task's name and what is whole before it ends (`Workspace.made`).
    """

    def __call__(
        self, root: Path, progress: Callable[[float], None] = ..., told: Callable[[str, Artifact], None] = ...
    ) -> dict[str, list[Artifact]]: ...


class StepContract:
    """Give it the fixture `step`; override `good_params`, `bad_params` and `source` where they do not fit, `settings`
    when the step looks at some, and the fixture `inputs` when its tasks need what other steps made.
    """

    good_params: ClassVar[Mapping[str, Any]] = {}
    """Parameters that `check` has nothing to say about."""
    bad_params: ClassVar[Mapping[str, Any]] = {}
    """Parameters of which each has a value that it can't have."""
    settings: ClassVar[Mapping[str, Any]] = {}
    """The settings that the step finds in its workspace, by name: its plugin's own (`{"mine_url": "..."}`)."""
    may_plan_nothing: ClassVar[bool] = False
    """True when there is nothing to do for the `source`, and that is what is to be tested."""

    @pytest.fixture
    def step(self) -> Step:
        raise NotImplementedError("give the contract your step: override the fixture `step`")

    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        return clips.make_clip(tmp_path / "source.mp4", seconds=3.0)

    @pytest.fixture
    def processes(self) -> ProcessRunner:
        return SandboxedRunner("bwrap")

    @pytest.fixture
    def media(self, source: Path, processes: ProcessRunner) -> MediaInfo:
        return probed(source, processes)

    @pytest.fixture
    def inputs(self) -> Mapping[str, TaskFiles]:
        """What other steps' tasks made that yours need, by the tasks' names (your own tasks' is there by itself)."""
        return {}

    @pytest.fixture
    def spec(self, step: Step) -> StepSpec:
        return StepSpec(step.name, self.good_params)

    @pytest.fixture
    def planned(self, step: Step, media: MediaInfo, spec: StepSpec) -> list[PlannedTask]:
        return list(step.plan(media, spec, profile_of(spec)))

    def test_it_is_a_step_named_area_dot_variant(self, step: Step) -> None:
        assert isinstance(step, Step)
        assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", step.name)

    def test_good_parameters_pass(self, step: Step) -> None:
        assert list(step.check(self.good_params)) == []

    def test_each_bad_parameter_is_named(self, step: Step) -> None:
        for name, value in self.bad_params.items():
            found = list(step.check({name: value}))

            assert found, f"{name}={value!r} passed"
            assert all(sentence.startswith(f"{name}: ") for sentence in found)

    def test_an_unknown_parameter_is_named(self, step: Step) -> None:
        found = list(step.check({"no_such_parameter": 1}))

        assert [sentence.split(":")[0] for sentence in found] == ["no_such_parameter"]

    def test_planning_twice_gives_the_same_tasks(self, step: Step, media: MediaInfo, spec: StepSpec) -> None:
        profile = profile_of(spec)

        assert list(step.plan(media, spec, profile)) == list(step.plan(media, spec, profile))

    def test_something_is_planned_for_the_source(self, planned: list[PlannedTask]) -> None:
        assert planned or self.may_plan_nothing, (
            "`plan` gives no task for the source, so that nothing else is tested; override the fixture `source` with a"
            " file that the step has work for, or set `may_plan_nothing = True`"
        )

    def test_planned_tasks_are_well_formed(self, step: Step, planned: list[PlannedTask]) -> None:
        names = [task.name for task in planned]

        assert len(set(names)) == len(names)
        for task in planned:
            assert re.fullmatch(r"[a-z0-9-]{1,40}", task.name)
            problem = unfit_params(task.name, task.params)
            assert problem is None, f"the step {step.name!r} {problem}"
            assert json.loads(json.dumps(dict(task.params))) == dict(task.params), "tuples become lists; see to_json"
            assert task.name not in task.needs
            assert all(re.fullmatch(r"[a-z0-9.-]+", need) for need in task.needs), "a need is a task or a step"
            assert task.load_units >= 0
            assert task.weight > 0
            assert task.rank in (0, 1, 2)
            assert task.segments >= 0
            assert task.makes or not task.segments, "what is made in parts says of which tracks"
            assert task.when == "eager" or task.segments, "what is made on demand can be made in parts"

    @pytest.fixture
    def run_all(
        self,
        step: Step,
        planned: list[PlannedTask],
        media: MediaInfo,
        source: Path,
        processes: ProcessRunner,
        inputs: Mapping[str, TaskFiles],
    ) -> RunAll:
        def run(
            root: Path,
            progress: Callable[[float], None] = lambda _: None,
            told: Callable[[str, Artifact], None] = lambda _, __: None,
        ) -> dict[str, list[Artifact]]:
            found, made, by_name = dict(inputs), {}, {task.name: task for task in planned}
            findings: dict[str, Any] = {}
            needs = {task.name: needs_of(task, step, planned, inputs) for task in planned}
            for name in TopologicalSorter(needs).static_order():
                if name in by_name:
                    made[name] = run_task(
                        step,
                        by_name[name],
                        media,
                        source,
                        root / name,
                        processes,
                        settings=self.settings,
                        inputs={need: found[need] for need in needs[name] if need in found},
                        progress=progress,
                        made=partial(told, name),
                        findings=findings,
                    )
                    if told_others := taken_from(map(dump, made[name]), root / name):
                        findings[name] = told_others
                    found[name] = TaskFiles(root / name, tuple(made[name]))
            return made

        return run

    def test_running_gives_artifacts_that_exist_as_described(
        self, planned: list[PlannedTask], tmp_path: Path, run_all: RunAll
    ) -> None:
        promised = {task.name: set(task.makes) for task in planned}
        early: dict[str, list[Artifact]] = {}

        def told(name: str, artifact: Artifact) -> None:
            check_file(artifact, tmp_path / "work" / name)  # it is read now, not in the end
            early.setdefault(name, []).append(artifact)

        done = run_all(tmp_path / "work", told=told)
        check_opening(planned, {name: TaskFiles(tmp_path / "work" / name, tuple(made)) for name, made in done.items()})
        for name, artifacts in done.items():
            assert artifacts, f"{name} made nothing"
            assert len({artifact.path for artifact in artifacts}) == len(artifacts)
            for artifact in artifacts:
                check_file(artifact, tmp_path / "work" / name)
            check_segments(artifacts)
            check_told(early.get(name, []), artifacts)
            made = {artifact.track or artifact.path for artifact in artifacts}
            assert promised[name] in (made, set()), f"{name} made {sorted(made)}; `makes` says {promised[name]}"

    def test_running_leaves_the_source_alone_and_can_be_repeated(
        self, source: Path, tmp_path: Path, run_all: RunAll
    ) -> None:
        before = hashlib.sha256(source.read_bytes()).hexdigest()
        runs = [
            {name: [(a.path, a.role, a.number) for a in made] for name, made in run_all(tmp_path / str(number)).items()}
            for number in range(2)
        ]

        assert runs[0] == runs[1]
        assert hashlib.sha256(source.read_bytes()).hexdigest() == before

    def test_parts_are_what_the_whole_is_there(
        self,
        step: Step,
        planned: list[PlannedTask],
        media: MediaInfo,
        source: Path,
        tmp_path: Path,
        processes: ProcessRunner,
        inputs: Mapping[str, TaskFiles],
    ) -> None:
        inits: dict[str, bytes] = {}
        for task in planned:
            for number, part in enumerate(some_parts(task)):
                directory = tmp_path / f"{task.name}-{number}"
                told: list[Artifact] = []
                run = partial(run_task, step, task, media, source, directory, processes, settings=self.settings)
                made = run(inputs=inputs, made=told.append, part=part, awaited=number % 2 == 0)
                check_told(told, made)
                for artifact in made:
                    check_file(artifact, directory)
                check_part(task, part, TaskFiles(directory, tuple(made)), inits)

    def test_progress_never_leaves_its_bounds(self, tmp_path: Path, run_all: RunAll) -> None:
        seen: list[float] = []
        run_all(tmp_path / "work", seen.append)

        assert all(0.0 <= fraction <= 1.0 for fraction in seen)
