"""Jobs as people look at them: for which video, how far, and about what goes before them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mediaflow.domain.records import Job
from mediaflow.services.assets.joblist import JobList, JobStanding, Waiting
from tests.services.records import a_job, a_task, an_asset
from tests.services.world import World, make_world


def made(world: World, owner: str, turn: float, *, state: Any = "pending", **fields: Any) -> Job:
    """A job of that owner with a task that could be claimed, or runs."""
    database = world.runtime.database
    asset = an_asset(owner=owner, title=f"{owner}'s", state="processing", next_generation=1)
    job = a_job(asset, state="pending")
    database.assets.insert(asset)
    database.assets.change(asset.id, {}, {"job_id": job.id})
    database.jobs.insert(job)
    database.tasks.insert(a_task(job, "probe", state=state, ready=True, lane="short", turn=turn, **fields))
    return job


def test_what_goes_first_is_counted_as_owners_take_turns(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    database = world.runtime.database
    running = made(world, "ann", 1.0, state="running", progress=0.5)
    anns = [made(world, "ann", 10.0 + number) for number in range(3)]
    preferred = made(world, "ann", 99.0, priority=5)
    for number in range(20):
        made(world, "bob", float(number))
    made(world, "carol", 500.0)
    elsewhere = made(world, "dave", 1.0)
    database.tasks.change(database.tasks.find({"job_id": elsewhere.id})[0].id, {}, {"lane": "long"})

    listed = [running, *anns, preferred, elsewhere]
    standings = JobList(database).standings(listed)
    assert [standings[job.id].waiting for job in listed] == [
        None,
        Waiting(1, 3),  # of bob's twenty two, and carol's one
        Waiting(2, 4),
        Waiting(3, 5),
        Waiting(0, 2),
        Waiting(0, 0),
    ]
    assert {standing.title for standing in standings.values()} == {"ann's", "dave's"}
    assert all(standing.is_newest and standing.progress is not None for standing in standings.values())
    world.runtime.close()


def test_what_ended_has_no_place_and_what_is_gone_no_title(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    database = world.runtime.database
    failed, lost, again = (made(world, "ann", 1.0) for _ in range(3))
    for job in (failed, lost, again):
        database.jobs.change(job.id, {}, {"state": "failed"})
    database.assets.remove(lost.asset_id)
    database.assets.change(again.asset_id, {}, {"job_id": "f" * 32})
    jobs = [database.jobs.get(job.id) for job in (failed, lost, again)]
    standings = JobList(database).standings([job for job in jobs if job is not None])
    assert [standings[job.id] for job in (failed, lost, again)] == [
        JobStanding("ann's", is_newest=True),
        JobStanding(),
        JobStanding("ann's"),
    ]
    world.runtime.close()
