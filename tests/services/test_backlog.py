"""How much planned work an owner may have waiting: more begins nothing new, and one source alone may not have more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain.errors import LimitReached, MediaRejected
from mediaflow.domain.ids import new_id
from mediaflow.domain.records import Task
from mediaflow.services.access.principals import Principal
from mediaflow.services.pipeline.backlog import Backlog
from mediaflow.services.uploads.acceptance import NewUpload
from tests.services.records import a_job, a_task, an_asset
from tests.services.world import World, make_world

CLIP = NewUpload(filename="clip.mp4", size_bytes=10)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path / "data", quota_core_seconds="1000")
    yield made
    made.runtime.close()


def planned(world: World, owner: str, weight: float, **fields: Any) -> Task:
    task = a_task(a_job(an_asset(owner=owner)), "video-0", **{"id": new_id(), "state": "pending", **fields})
    task = task.__class__(**{**{name: getattr(task, name) for name in task.__slots__}, "weight": weight})
    assert world.runtime.database.tasks.insert(task)
    return task


def test_whoever_has_much_waiting_begins_nothing_new_until_some_is_done(world: World) -> None:
    tasks = [planned(world, "ann", 600), planned(world, "ann", 600, state="running")]
    with pytest.raises(LimitReached, match=r"1200 core seconds of work waiting, of at most 1000; .* raises the limit"):
        world.runtime.ingest.announce("ann", CLIP)
    world.runtime.ingest.announce("bob", CLIP)
    world.runtime.database.tasks.change(tasks[0].id, {"state": "pending"}, {"state": "done"})
    world.runtime.ingest.announce("ann", CLIP)


def test_processing_again_is_something_new(world: World) -> None:
    asset = an_asset(owner="ann", state="ready", original_key="originals/ann/0")
    assert world.runtime.database.assets.insert(asset)
    planned(world, "ann", 1000)
    with pytest.raises(LimitReached) as caught:
        world.runtime.reprocess.asset(Principal("ann", "user"), asset.id)
    assert (caught.value.code, caught.value.facts) == ("limit.core_seconds", {"used": 1000, "limit": 1000})


def test_one_source_may_not_be_planned_to_cost_more(world: World) -> None:
    backlog = Backlog(world.runtime.database, 1000)
    backlog.check_plan(1000)
    with pytest.raises(MediaRejected, match="would take 1001 core seconds, of at most 1000") as caught:
        backlog.check_plan(1001)
    assert caught.value.code == "media.too_costly"


def test_without_a_limit_nothing_is_too_much(world: World) -> None:
    planned(world, "ann", 1e9)
    unlimited = Backlog(world.runtime.database, 0)
    unlimited.check("ann")
    unlimited.check_plan(1e12)
