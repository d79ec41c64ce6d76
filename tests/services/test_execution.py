"""Tasks: claimed once, retried, given back, fenced off; and what their ends do to jobs and assets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from mediaflow.domain.errors import LeaseLost, MediaflowError, MediaRejected, TaskFailed, Unavailable
from mediaflow.domain.ids import new_id
from mediaflow.domain.records import Asset, Job, Task
from mediaflow.domain.states import MAX_ATTEMPTS, STAGES, Stage
from mediaflow.plugin import PlannedTask
from mediaflow.services.pipeline.claims import Claims
from mediaflow.services.pipeline.execution import Execution, StageHandler
from mediaflow.services.pipeline.gate import LoadGate
from mediaflow.services.pipeline.jobs import MOST_UNLOCKED
from mediaflow.services.pipeline.lease import Lease
from tests.services.world import World

Handler = Callable[[Task, Lease], dict[str, Any]]


def nothing(_task: Task, _lease: Lease) -> dict[str, Any]:
    return {}


def execution(
    world: World,
    handlers: Mapping[Stage, StageHandler] | None = None,
    *,
    units: int = 2,
    stopping: Callable[[], bool] = lambda: False,
    name: str = "worker-1",
) -> Execution:
    runtime = world.runtime
    every: dict[Stage, StageHandler] = dict.fromkeys(
        ("probe", "validate", "plan", "step", "package", "publish"), nothing
    )
    claims = Claims(runtime.database, LoadGate(units), name)
    return Execution(claims, runtime.jobs, runtime.metrics, every | dict(handlers or {}), stopping)


def started(world: World, owner: str = "ann") -> Job:
    asset = Asset(
        id=new_id(),
        owner=owner,
        upload_id=new_id(),
        filename="clip.mp4",
        title="clip",
        description="",
        visibility="private",
        state="stored",
        created_at=1.0,
        updated_at=1.0,
    )
    world.runtime.database.assets.insert(asset)
    job = world.runtime.jobs.start(asset.id, generation=1)
    assert job is not None
    return job


def task_of(world: World, job: Job, name: str) -> Task:
    return next(task for task in world.runtime.jobs.tasks(job.id) if task.name == name)


def asset_of(world: World, job: Job) -> Asset:
    asset = world.runtime.database.assets.get(job.asset_id)
    assert asset is not None
    return asset


def job_now(world: World, job: Job) -> Job:
    now = world.runtime.database.jobs.get(job.id)
    assert now is not None
    return now


def test_starting_a_job_twice_makes_one_job_with_one_task_ready(world: World) -> None:
    job = started(world)
    world.runtime.jobs.start(job.asset_id, generation=1)
    assert world.runtime.database.jobs.count({}) == 1
    assert [(t.name, t.ready) for t in world.runtime.jobs.tasks(job.id)] != []
    assert {t.name: t.ready for t in world.runtime.jobs.tasks(job.id)} == {
        "probe": True,
        "validate": False,
        "plan": False,
    }
    assert asset_of(world, job).state == "processing"


def test_stages_run_in_sequence_and_steps_beside_one_another(world: World) -> None:
    job = started(world)
    ran: list[str] = []

    def record(task: Task, _lease: Lease) -> dict[str, Any]:
        ran.append(task.name)
        return {}

    def plan(task: Task, _lease: Lease) -> dict[str, Any]:
        ran.append(task.name)
        steps = [PlannedTask("video-0", load_units=2), PlannedTask("late", needs=("video-0",))]
        world.runtime.jobs.add_steps(job, [("x.y", step) for step in steps])
        return {}

    hands = execution(
        world, {**dict.fromkeys(("probe", "validate", "step", "package", "publish"), record), "plan": plan}
    )
    for stage in STAGES:
        hands.work(stage)
    assert ran == ["probe", "validate", "plan", "video-0", "late", "package", "publish"]
    assert job_now(world, job).state == "done"


def test_of_a_film_some_tasks_at_a_time_are_made_ready_first_what_is_done_in_no_time(world: World) -> None:
    job, ran, ready = started(world), list[str](), list[int]()

    def record(task: Task, _lease: Lease) -> dict[str, Any]:
        ready.append(world.runtime.database.tasks.count({"job_id": job.id, "state": "pending", "ready": True}))
        ran.append(task.name)
        return {}

    def plan(_task: Task, _lease: Lease) -> dict[str, Any]:
        steps = [PlannedTask(f"part-{number:03d}", weight=60.0) for number in range(150)]
        steps.append(PlannedTask("first", rank=0))
        world.runtime.jobs.add_steps(job, [("x.y", step) for step in steps])
        return {}

    hands = execution(world, {**dict.fromkeys(("open", "step"), record), "plan": plan})
    for stage in STAGES:
        hands.work(stage)

    assert ran[0] == "first"
    assert sorted(ran[1:]) == ["open", *(f"part-{number:03d}" for number in range(150))]
    # each end of a task makes some more of them ready; `open` is among the first, and one runs
    assert (ready[:2], max(ready) > MOST_UNLOCKED) == ([0, MOST_UNLOCKED - 1], True)
    assert job_now(world, job).state == "done"


def test_of_what_opens_a_video_the_longest_is_made_ready_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits takes what is there: the longest is what the others are waited with for."""
    job, woken = started(world), list[str]()

    def wake(self: object, stage: str, task_id: str) -> None:
        task = world.runtime.database.tasks.get(task_id)
        woken.extend([task.name] if task is not None and task.stage == "step" else [])

    def plan(_task: Task, _lease: Lease) -> dict[str, Any]:
        steps = [PlannedTask(f"opens-{weight}", rank=0, weight=weight) for weight in (0.1, 2.0, 0.4, 1.0)]
        world.runtime.jobs.add_steps(job, [("x.y", step) for step in steps])
        return {}

    monkeypatch.setattr(type(world.wakeups), "wake", wake)
    hands = execution(world, {"plan": plan})
    for stage in ("probe", "validate", "plan"):
        hands.work(stage)
    assert woken == ["opens-2.0", "opens-1.0", "opens-0.4", "opens-0.1"]


def test_a_task_is_claimed_once_by_many_workers(world: World) -> None:
    for _ in range(20):
        started(world)
    ran: list[str] = []

    def record(task: Task, _lease: Lease) -> dict[str, Any]:
        ran.append(task.id)
        return {}

    workers = [execution(world, {"probe": record}, name=f"w{n}") for n in range(6)]
    threads = [threading.Thread(target=worker.work, args=("probe",)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ran) == len(set(ran)) == 20


def test_a_failure_is_tried_again_and_the_last_one_fails_job_and_asset(world: World) -> None:
    job = started(world)

    def fail(_task: Task, _lease: Lease) -> dict[str, Any]:
        raise TaskFailed("the disk hiccuped", code="storage.hiccup")

    hands = execution(world, {"probe": fail})
    for _ in range(MAX_ATTEMPTS + 2):
        world.runtime.database.tasks.change(task_of(world, job, "probe").id, {"state": "pending"}, {"not_before": 0.0})
        hands.work("probe")
    probe = task_of(world, job, "probe")
    assert (probe.state, probe.attempt) == ("failed", MAX_ATTEMPTS)
    assert job_now(world, job).state == "failed"
    assert asset_of(world, job).state == "failed"
    assert asset_of(world, job).error == {"code": "storage.hiccup", "detail": "the disk hiccuped"}
    assert task_of(world, job, "plan").state == "cancelled"


def test_an_error_of_the_input_that_comes_twice_is_final(world: World) -> None:
    job = started(world)

    def fail(_task: Task, _lease: Lease) -> dict[str, Any]:
        raise TaskFailed("1080p has no segments.", code="job.incomplete")

    hands = execution(world, {"probe": fail})
    hands.work("probe")
    assert task_of(world, job, "probe").state == "pending"
    world.runtime.database.tasks.change(task_of(world, job, "probe").id, {"state": "pending"}, {"not_before": 0.0})
    hands.work("probe")
    assert (task_of(world, job, "probe").state, task_of(world, job, "probe").attempt) == ("failed", 2)
    assert asset_of(world, job).error == {"code": "job.incomplete", "detail": "1080p has no segments."}


def test_a_failed_attempt_waits_before_the_next(world: World) -> None:
    job = started(world)
    attempts: list[int] = []

    def fail(task: Task, _lease: Lease) -> dict[str, Any]:
        attempts.append(task.attempt)
        raise ValueError("anything")

    execution(world, {"probe": fail}).work("probe")
    probe = task_of(world, job, "probe")
    assert attempts == [1]
    assert probe.state == "pending"
    assert probe.not_before > world.runtime.database.now()
    assert probe.error is not None
    assert probe.error["code"] == "job.internal"


def test_media_at_fault_is_not_tried_again_and_rejects_the_asset(world: World) -> None:
    job = started(world)

    def reject(_task: Task, _lease: Lease) -> dict[str, Any]:
        raise MediaRejected("This is a text file.", code="media.unsupported")

    execution(world, {"probe": reject}).work("probe")
    assert task_of(world, job, "probe").attempt == 1
    asset = asset_of(world, job)
    assert (asset.state, asset.error) == ("rejected", {"code": "media.unsupported", "detail": "This is a text file."})


def test_an_optional_task_may_fail_without_harm(world: World) -> None:
    job = started(world)

    def plan(_task: Task, _lease: Lease) -> dict[str, Any]:
        steps = [PlannedTask("video-0"), PlannedTask("thumbnail", optional=True)]
        world.runtime.jobs.add_steps(job, [("x.y", step) for step in steps])
        return {}

    def step(task: Task, _lease: Lease) -> dict[str, Any]:
        if task.name == "thumbnail":
            raise MediaRejected("no picture")
        return {}

    hands = execution(world, {"plan": plan, "step": step})
    for stage in STAGES:
        hands.work(stage)
    assert task_of(world, job, "thumbnail").state == "failed"
    assert job_now(world, job).state == "done"


@pytest.mark.parametrize("error", [TaskFailed("ended", code="job.stopped"), LeaseLost("the worker is shutting down")])
def test_a_worker_that_shuts_down_gives_its_task_back_uncounted(world: World, error: MediaflowError) -> None:
    job, stopping = started(world), threading.Event()

    def interrupted(_task: Task, _lease: Lease) -> dict[str, Any]:
        stopping.set()
        raise error

    execution(world, {"probe": interrupted}, stopping=stopping.is_set).work("probe")
    probe = task_of(world, job, "probe")
    assert (probe.state, probe.attempt, probe.failures, probe.not_before) == ("pending", 1, 0, 0.0)
    assert probe.lease_until == 0.0, "nobody has it"


def test_a_worker_that_lost_its_lease_writes_nothing(world: World) -> None:
    job = started(world)

    def overtaken(task: Task, _lease: Lease) -> dict[str, Any]:
        world.runtime.database.tasks.change(task.id, {}, {"lease_until": 1.0})
        world.runtime.reconciler.sweep()
        taken = execution(world, {"probe": lambda _t, _l: {"by": "second"}}, name="worker-2")
        assert taken.work("probe") == 1
        return {"by": "first"}

    execution(world, {"probe": overtaken}).work("probe")
    probe = task_of(world, job, "probe")
    assert (probe.state, probe.attempt, probe.result) == ("done", 2, {"by": "second"})


def test_a_task_whose_workers_keep_dying_is_failed_as_poison_and_others_go_on(world: World) -> None:
    job, other = started(world), started(world)
    for _ in range(MAX_ATTEMPTS):
        claims = Claims(world.runtime.database, LoadGate(99), "dies")
        claimed = claims.best("probe")
        assert claimed is not None
        if claimed.job_id != job.id:  # the other one: put it back untouched
            world.runtime.database.tasks.change(claimed.id, {}, {"state": "pending", "failures": 0})
            claimed = claims.best("probe")
            claims.gate.give_back(task_of(world, other, "probe"))
            assert claimed is not None
        world.runtime.database.tasks.change(task_of(world, job, "probe").id, {}, {"lease_until": 1.0})
        world.runtime.reconciler.sweep()
    execution(world).work("probe")
    world.runtime.reconciler.sweep()
    assert job_now(world, job).state == "failed"
    assert task_of(world, other, "probe").state == "done"


def test_what_is_done_while_the_database_is_away_is_recorded_when_it_is_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen: the end could not be written, so the work was thrown away and counted as a failure 30 s later."""
    monkeypatch.setattr("mediaflow.services.pipeline.execution.AGAIN_SECONDS", 0.01)
    tasks, left = type(world.runtime.database.tasks), [3]
    change = tasks.change

    def away(self: Any, key: str, expect: Mapping[str, Any], changes: Mapping[str, Any]) -> Any:
        if changes.get("state") == "done" and "result" in changes and left[0]:
            left[0] -= 1
            raise Unavailable("the database does not answer", code="database.unavailable")
        return change(self, key, expect, changes)

    monkeypatch.setattr(tasks, "change", away)
    job = started(world)
    assert execution(world).work("probe") == 1
    probe = next(task for task in world.runtime.jobs.tasks(job.id) if task.name == "probe")
    assert (probe.state, probe.attempt, probe.failures, left) == ("done", 1, 0, [0])


def test_writing_to_a_task_that_is_not_held_is_an_error(world: World) -> None:
    started(world)
    claims = Claims(world.runtime.database, LoadGate(1), "w")
    task = claims.best("probe")
    assert task is not None
    claims.write(task, {"progress": 0.5})
    world.runtime.database.tasks.change(task.id, {}, {"state": "cancelled"})
    with pytest.raises(LeaseLost):
        claims.write(task, {"progress": 0.6})


@pytest.mark.parametrize(
    ("raised", "code", "detail"),
    [
        (SystemExit(1), "job.internal", "The work failed unexpectedly (WouldEndProcess)."),
        (GeneratorExit(), "job.internal", "The work failed unexpectedly (WouldEndProcess)."),
        (TaskFailed("half \ud800", code="job.bad output\n"), "job.task_failed", "half \ufffd"),
        (TaskFailed("\x1b[2J\nx" * 10_000_000, code="job.x"), "job.x", None),
    ],
)
def test_whatever_is_raised_is_kept_as_a_small_sentence(
    world: World, raised: BaseException, code: str, detail: str | None
) -> None:
    def fails(_task: Task, _lease: Lease) -> dict[str, Any]:
        raise raised

    job = started(world)
    execution(world, {"probe": fails}).work("probe")
    error = task_of(world, job, "probe").error
    assert error is not None
    assert error["code"] == code
    assert len(error["detail"]) <= 1000
    assert detail in (None, error["detail"])
