"""Many jobs at once, and their order: bulk retries, priorities, a paused queue."""

from __future__ import annotations

from typing import Any

import pytest

from mediaflow.domain.errors import Conflict, Forbidden, LimitReached, NotFound
from mediaflow.domain.records import Job, Task
from mediaflow.services.access.principals import Principal
from mediaflow.services.assets import steering as steering_module
from mediaflow.services.assets.reprocess import Reprocess
from mediaflow.services.assets.steering import RetryQuery, Steering
from mediaflow.services.pipeline.lease import Lease
from mediaflow.services.pipeline.pausing import Pausing
from tests.services.pipeline import ADMIN, ANN, BOB, Pipeline
from tests.services.test_reprocess import rejecting
from tests.services.world import World, make_world


@pytest.fixture
def pipeline(world: World) -> Pipeline:
    return Pipeline(world)


@pytest.fixture
def steering(world: World) -> Steering:
    return world.runtime.steering


def failed(pipeline: Pipeline, owner: str = "ann", code: str = "job.poison", **fields: Any) -> str:
    asset_id = pipeline.stored(owner=owner, **fields)
    pipeline.work(plan=rejecting)
    job = pipeline.job(asset_id)
    pipeline.world.runtime.database.jobs.change(job.id, {}, {"error": {"code": code, "detail": "x"}})
    return asset_id


# --- repeating


def test_what_failed_with_a_code_is_repeated_once(pipeline: Pipeline, steering: Steering) -> None:
    poison, other, bobs = failed(pipeline), failed(pipeline, code="job.timeout"), failed(pipeline, "bob")
    twice = failed(pipeline)
    pipeline.world.runtime.reprocess.asset(ANN, twice)  # repeated already
    done = steering.retry_failed(ANN, RetryQuery(code="job.poison"))
    assert [(old.asset_id, new.generation) for old, new in done.begun] == [(poison, 2)]
    assert (done.refused, done.more) == ((), False)
    assert steering.retry_failed(ANN, RetryQuery(code="job.poison")).begun == ()
    everything = steering.retry_failed(ADMIN, RetryQuery())
    assert {old.asset_id for old, _ in everything.begun} == {other, bobs}
    pipeline.work()
    assert {pipeline.asset(each).state for each in (poison, other, bobs)} == {"ready"}


def test_owners_are_for_admins(pipeline: Pipeline, steering: Steering) -> None:
    failed(pipeline)
    bobs = failed(pipeline, "bob")
    with pytest.raises(Forbidden):
        steering.retry_failed(ANN, RetryQuery(owner="bob"))
    assert [old.asset_id for old, _ in steering.retry_failed(ADMIN, RetryQuery(owner="bob")).begun] == [bobs]


def test_a_request_is_bounded_and_the_next_goes_on(
    pipeline: Pipeline, steering: Steering, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = [failed(pipeline) for _ in range(5)]
    pipeline.world.runtime.trash.delete(ANN, assets[1])
    for name, most in (("MOST_RETRIED", 2), ("MOST_EXAMINED", 3)):
        monkeypatch.setattr(steering_module, name, most)
    begun, since, rounds = list[str](), None, 0
    while True:
        done = steering.retry_failed(ANN, RetryQuery(since=since))
        assert len(done.begun) <= 2
        assert done.examined <= 3
        begun, since, rounds = [*begun, *(old.asset_id for old, _ in done.begun)], done.since, rounds + 1
        if not done.more:
            break
        assert rounds < 6
    assert begun == [assets[0], *assets[2:]]


def test_a_limit_is_told_at_the_first_and_ends_the_rest(tmp_path: Any) -> None:
    world = make_world(tmp_path / "data", quota_core_seconds="1")
    pipeline = Pipeline(world)
    failed(pipeline)
    waits = pipeline.stored()
    pipeline.work("probe", "validate", "plan")
    with pytest.raises(LimitReached):
        world.runtime.steering.retry_failed(ANN, RetryQuery())
    assert pipeline.asset(waits).state == "processing"
    world.runtime.close()


# --- order


def test_a_job_goes_first_with_all_its_tasks(pipeline: Pipeline, steering: Steering) -> None:
    first, later = pipeline.stored(), pipeline.stored(b"another")
    job = steering.prioritise(ADMIN, pipeline.job(later).id, 5)
    order: list[str] = []

    def noting(task: Task, _lease: Lease) -> dict[str, Any]:
        order.append(task.asset_id)
        return {}

    pipeline.work("probe", probe=noting)
    assert order == [later, first]
    pipeline.work("validate", "plan")  # what is made now has it too
    tasks = pipeline.world.runtime.jobs.tasks(job.id)
    assert {task.priority for task in tasks if task.state == "pending"} == {5}
    assert "video-0" in [task.name for task in tasks]


@pytest.mark.parametrize("priority", [-11, 1, 100])
def test_owners_go_later_only(pipeline: Pipeline, steering: Steering, priority: int) -> None:
    job = pipeline.job(pipeline.stored())
    with pytest.raises(Forbidden) as caught:
        steering.prioritise(ANN, job.id, priority)
    assert caught.value.code == "job.priority"
    assert steering.prioritise(ANN, job.id, -10).priority == -10
    assert steering.prioritise(ADMIN, job.id, priority).priority == priority


def test_a_job_that_begins_meanwhile_is_put_later_all_the_same(
    pipeline: Pipeline, steering: Steering, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, look = pipeline.job(pipeline.stored()), Reprocess.job

    def looked(reprocess: Reprocess, principal: Principal, job_id: str) -> Job:
        found = look(reprocess, principal, job_id)
        steering.database.jobs.change(job_id, {"state": "pending"}, {"state": "running"})
        return found

    monkeypatch.setattr(Reprocess, "job", looked)
    assert (steering.prioritise(ANN, job.id, -1).priority, job.state) == (-1, "pending")


def test_an_ended_or_unknown_job_has_no_order(pipeline: Pipeline, steering: Steering) -> None:
    job = pipeline.job(pipeline.ready())
    with pytest.raises(Conflict) as caught:
        steering.prioritise(ANN, job.id, -1)
    assert caught.value.code == "job.ended"
    assert steering.database.jobs.get(job.id) == job, "nothing was written"
    with pytest.raises(NotFound):
        steering.prioritise(BOB, job.id, -1)


# --- a pause


def test_a_paused_queue_takes_uploads_and_begins_nothing_until_it_is_resumed(pipeline: Pipeline, world: World) -> None:
    runs = pipeline.stored()
    hands, pausing = pipeline.hands(), world.runtime.pausing

    def meanwhile(_task: Task, _lease: Lease) -> dict[str, Any]:
        pausing.switch(paused=True, by="root", reason="disk")
        return {}

    pipeline.work(probe=meanwhile)
    tasks = world.runtime.jobs.tasks(pipeline.job(runs).id)
    assert {task.name: task.state for task in tasks} == {"probe": "done", "validate": "pending", "plan": "pending"}
    waits = pipeline.stored(b"another")
    assert hands.work() == 0
    hinted = len(world.wakeups.uploads)
    world.runtime.reconciler.nudge()
    assert len(world.wakeups.uploads) == hinted
    # the switch is a document: whoever starts later finds it
    state = Pausing(world.runtime.database).state()
    assert state is not None
    assert (state.paused, state.reason, state.changed_by) == (True, "disk", "root")
    assert pausing.switch(paused=True, by="ann", reason="disk") == state
    pausing.switch(paused=False, by="root")
    pipeline.work()
    assert {pipeline.asset(each).state for each in (runs, waits)} == {"ready"}
