"""Deleting and restoring: what it ends, what it begins again, and when it is too late."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain.errors import NotFound
from mediaflow.domain.records import Task
from mediaflow.domain.states import STAGES
from mediaflow.services.assets.trash import Trash
from mediaflow.services.pipeline.lease import Lease
from tests.services.pipeline import ADMIN, ANN, BOB, Pipeline
from tests.services.world import World, make_world


@pytest.fixture
def pipeline(world: World) -> Pipeline:
    return Pipeline(world)


@pytest.fixture
def trash(world: World) -> Trash:
    return world.runtime.trash


@pytest.fixture
def at_once(tmp_path: Path) -> Iterator[Pipeline]:
    """Where nothing deleted is kept."""
    world = make_world(tmp_path / "at once", trash_seconds="0")
    yield Pipeline(world)
    world.runtime.close()


# --- deleting


def test_a_deleted_asset_has_a_day_on_which_it_goes(pipeline: Pipeline, trash: Trash) -> None:
    asset_id = pipeline.ready()
    before = pipeline.asset(asset_id)
    trash.delete(ANN, asset_id)
    deleted = pipeline.asset(asset_id)
    assert deleted.deleted_at is not None
    assert deleted.purge_at == deleted.deleted_at + pipeline.world.runtime.settings.trash_seconds
    assert deleted.acl_epoch == before.acl_epoch + 1
    trash.delete(ANN, asset_id)
    assert pipeline.asset(asset_id) == deleted


def test_only_owner_and_admin_delete_and_restore(pipeline: Pipeline, trash: Trash) -> None:
    asset_id = pipeline.ready()
    with pytest.raises(NotFound):
        trash.delete(BOB, asset_id)
    trash.delete(ADMIN, asset_id)
    with pytest.raises(NotFound):
        trash.restore(BOB, asset_id)
    assert trash.restore(ANN, asset_id).deleted_at is None


@pytest.mark.parametrize("stage", ["probe", "validate", "plan", "step", "package", "publish"])
def test_a_delete_ends_the_work_at_every_stage(pipeline: Pipeline, trash: Trash, stage: str) -> None:
    asset_id = pipeline.stored()
    real = pipeline.hands().handlers[stage]  # type: ignore[index]

    def deleted_meanwhile(task: Task, lease: Lease) -> dict[str, Any]:
        trash.delete(ANN, asset_id)
        return real(task, lease)

    pipeline.work(**{stage: deleted_meanwhile})
    asset, job = pipeline.asset(asset_id), pipeline.job(asset_id)
    assert (asset.state, asset.playable, asset.generation) == ("stored", False, 0)
    assert job.state == "cancelled"
    assert {task.state for task in pipeline.world.runtime.jobs.tasks(job.id)} <= {"done", "cancelled"}


def test_what_was_deleted_while_it_was_published_is_not_done(pipeline: Pipeline) -> None:
    """Whoever looked at the asset just before its delete would end the job as done, and tell so."""
    asset_id = pipeline.stored()
    real = pipeline.hands().handlers["publish"]

    def deleted_meanwhile(task: Task, lease: Lease) -> dict[str, Any]:
        # the delete has not come to the job's tasks yet
        changes = {"deleted_at": 1.0, "state": "stored", "opened": None, "playable": False}
        pipeline.world.runtime.database.assets.change(asset_id, {}, changes)
        return real(task, lease)

    pipeline.work(publish=deleted_meanwhile)
    job = pipeline.job(asset_id)
    states = {task.name: task.state for task in pipeline.world.runtime.jobs.tasks(job.id)}
    assert (job.state, states["publish"]) == ("cancelled", "cancelled")


def test_a_delete_that_died_half_way_is_completed(pipeline: Pipeline, trash: Trash) -> None:
    asset_id = pipeline.stored()
    changes = {"deleted_at": 1.0, "purge_at": 4e9, "state": "stored"}  # all that it did before it died
    pipeline.world.runtime.database.assets.change(asset_id, {}, changes)
    pipeline.world.runtime.reconciler.sweep()
    assert pipeline.job(asset_id).state == "cancelled"
    pipeline.work()
    assert pipeline.asset(asset_id).generation == 0


def test_of_an_upload_on_its_way_nothing_is_left(pipeline: Pipeline, trash: Trash) -> None:
    database = pipeline.world.runtime.database
    upload_id, asset_id = pipeline.announced(b"a" * 4096, chunk_size_bytes=1024)
    pipeline.world.runtime.ingest.receive("ann", upload_id, 1, [b"a" * 1024], content_length=None, digest=None)
    trash.delete(ANN, asset_id)
    assert database.assets.get(asset_id) is None
    assert database.chunks.count({}) == 0
    assert not [path for path in pipeline.world.runtime.settings.data_path.rglob("objects/**/*") if path.is_file()]
    with pytest.raises(NotFound):
        trash.delete(ANN, asset_id)


def test_a_file_that_was_sent_and_deleted_before_it_was_assembled_waits_in_the_trash(
    pipeline: Pipeline, trash: Trash
) -> None:
    asset_id = pipeline.sent()
    trash.delete(ANN, asset_id)
    pipeline.assemble()
    assert pipeline.asset(asset_id).state == "stored"
    assert pipeline.world.runtime.database.jobs.count({}) == 0
    trash.restore(ANN, asset_id)
    pipeline.work()
    assert pipeline.asset(asset_id).state == "ready"


# --- restoring


def test_a_restored_asset_plays_as_before(pipeline: Pipeline, trash: Trash) -> None:
    asset_id = pipeline.ready()
    before = pipeline.asset(asset_id)
    trash.delete(ANN, asset_id)
    restored = trash.restore(ANN, asset_id)
    assert (restored.state, restored.published, restored.purge_at) == ("ready", before.published, None)
    assert restored.acl_epoch == before.acl_epoch + 2
    assert trash.restore(ANN, asset_id) == restored


@pytest.mark.parametrize("done", range(6))
def test_work_that_the_delete_interrupted_begins_again(pipeline: Pipeline, trash: Trash, done: int) -> None:
    asset_id = pipeline.stored(profile="mobile")
    for stage in STAGES[:done]:
        pipeline.work(stage)
    trash.delete(ANN, asset_id)
    for _ in range(2):
        trash.restore(ANN, asset_id)
    assert pipeline.asset(asset_id).state == "processing"
    pipeline.work()
    asset = pipeline.asset(asset_id)
    assert (asset.state, asset.generation, asset.profile) == ("ready", 2, "mobile")
    states = {job.generation: job.state for job in pipeline.world.runtime.database.jobs.find({"asset_id": asset_id})}
    assert states == {1: "cancelled", 2: "done"}


def test_a_restore_that_died_half_way_is_completed(pipeline: Pipeline, trash: Trash) -> None:
    asset_id = pipeline.stored()
    trash.delete(ANN, asset_id)
    # all that it did before it died, long ago
    changes = {"deleted_at": None, "purge_at": None, "updated_at": 1.0}
    pipeline.world.runtime.database.assets.change(asset_id, {}, changes)
    pipeline.world.runtime.reconciler.sweep()
    pipeline.work()
    assert pipeline.asset(asset_id).state == "ready"


def test_deleting_and_restoring_again_and_again_leaves_one_job_that_counts(pipeline: Pipeline, trash: Trash) -> None:
    asset_id = pipeline.stored()
    for _ in range(5):
        trash.delete(ANN, asset_id)
        trash.restore(ANN, asset_id)
    database = pipeline.world.runtime.database
    assert database.jobs.count({"state": "cancelled"}) == 5
    pipeline.work()
    assert pipeline.asset(asset_id).generation == 6


def _purging(pipeline: Pipeline, asset_id: str) -> None:
    pipeline.world.runtime.database.assets.change(asset_id, {}, {"purging": True})


def _overdue(pipeline: Pipeline, asset_id: str) -> None:
    pipeline.world.runtime.database.assets.change(asset_id, {}, {"purge_at": 1.0})


def _for_good(pipeline: Pipeline, asset_id: str) -> None:
    pipeline.world.runtime.trash.delete(ANN, asset_id, purge=True)


@pytest.mark.parametrize("too_late", [_purging, _overdue, _for_good])
def test_what_is_to_go_can_not_be_restored(
    pipeline: Pipeline, trash: Trash, too_late: Callable[[Pipeline, str], None]
) -> None:
    asset_id = pipeline.ready()
    trash.delete(ANN, asset_id)
    too_late(pipeline, asset_id)
    with pytest.raises(NotFound) as caught:
        trash.restore(ANN, asset_id)
    assert caught.value.code == "asset.not_found"
    trash.delete(ANN, asset_id)


def test_without_a_retention_nothing_can_be_restored(at_once: Pipeline) -> None:
    asset_id = at_once.ready()
    at_once.world.runtime.trash.delete(ANN, asset_id)
    with pytest.raises(NotFound):
        at_once.world.runtime.trash.restore(ANN, asset_id)
