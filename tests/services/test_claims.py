"""Who goes next: by lanes, by what owners received, by what is done soonest; and how much a process takes on."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from mediaflow.domain.ids import new_id
from mediaflow.domain.records import Task
from mediaflow.plugin import PlannedTask
from mediaflow.services.pipeline.claims import Claims
from mediaflow.services.pipeline.gate import LoadGate
from mediaflow.services.pipeline.recency import Recency
from tests.services.records import a_job, a_task, an_asset
from tests.services.world import World


def a_load(owner: str, lane: str, units: int) -> Task:
    """`light` is one of those that viewers begin with, too."""
    fields: dict[str, Any] = {"lane": "first", "weight": 0.26} if lane == "light" else {"lane": lane}
    return a_task(a_job(an_asset(owner=owner)), "a task", id=new_id(), owner=owner, load_units=units, **fields)


def waiting(world: World, name: str = "video-0", *, age: float = 0.0, **fields: Any) -> Task:
    """A step's task that can be claimed, made so many seconds ago."""
    now = world.runtime.database.now()
    usual: dict[str, Any] = {"state": "pending", "ready": True, "stage": "step", "load_units": 1, "lane": "short"}
    asset = an_asset(owner=fields.get("owner", "ann"), state="processing", next_generation=1)
    job = a_job(asset)
    turn = now - age + fields.pop("job_weight", 0.0)
    world.runtime.database.assets.insert(replace(asset, job_id=job.id))
    world.runtime.database.jobs.insert(job)
    task = a_task(job, name, **{"id": new_id(), "created_at": now - age, "turn": turn, **usual, **fields})
    assert world.runtime.database.tasks.insert(task)
    return task


def claims_of(world: World, units: int = 99) -> Claims:
    return Claims(world.runtime.database, LoadGate(units), "worker-1")


def claimed(claims: Claims, count: int) -> list[str]:
    """The names of the next tasks, none of them given back; fewer when nothing can be carried any more."""
    found = [claims.best() for _ in range(count)]
    return [task.name for task in found if task is not None]


def received(world: World, owner: str, seconds: float, *, ago: float = 10.0, lane: str = "short") -> None:
    """A task of the owner's that is done."""
    started = world.runtime.database.now() - ago
    waiting(world, owner=owner, state="done", seconds=seconds, started_at=started, lane=lane)


LOADS: tuple[tuple[str, int, Sequence[tuple[str, str, int]], list[str]], ...] = (
    ("short ones fill the units; one more has the express, its owner being another", 2,
     [("a", "short", 1), ("a", "short", 1), ("a", "short", 1), ("b", "short", 1), ("c", "short", 1)], ["a", "a", "b"]),
    ("a film of the only unit lets its owner's short one pass", 1, [("a", "long", 1), ("a", "short", 1)], ["a", "a"]),
    ("short ones find all units, whatever long ones run", 2,
     [("a", "long", 1), ("a", "long", 1), ("a", "long", 1), *[("a", "short", 1)] * 3, ("b", "short", 1)],
     ["a", "a", "a", "a", "b"]),
    ("long ones have no express", 1, [("a", "long", 1), ("b", "long", 1)], ["a"]),
    ("what is larger than the process runs alone", 2,
     [("a", "short", 8), ("b", "short", 1), ("c", "short", 2)], ["a", "b"]),
    ("bookkeeping always passes", 1, [("a", "short", 1), ("a", "bookkeeping", 0), ("b", "bookkeeping", 0)],
     ["a", "a", "b"]),
    ("sources are looked at beside encodes, so many at once as there are units", 2,
     [("a", "short", 1), ("a", "short", 1), *[("b", "bookkeeping", 1)] * 3, ("c", "bookkeeping", 0)],
     ["a", "a", "b", "b", "c"]),
    ("looks at sources count as load for what is long", 2,
     [("a", "bookkeeping", 1), *[("b", "long", 1)] * 2], ["a", "b"]),
    ("beside what viewers begin with half as many are looked at", 4,
     [("a", "first", 1), *[("b", "bookkeeping", 1)] * 3, ("c", "bookkeeping", 0)], ["a", "b", "b", "c"]),
    ("as much as there are units of what viewers begin with, whatever else runs, and a light one", 2,
     [*[("a", "short", 1)] * 2, *[("b", "first", 1)] * 3, *[("c", "light", 1)] * 2], ["a", "a", "b", "b", "c"]),
    ("... one at least", 1, [("a", "first", 1), *[("b", "bookkeeping", 1)] * 2], ["a", "b"]),
)  # fmt: skip


@pytest.mark.parametrize(("what", "units", "tasks", "passed"), LOADS, ids=[load[0] for load in LOADS])
def test_how_much_a_process_takes_on(
    what: str, units: int, tasks: Sequence[tuple[str, str, int]], passed: list[str]
) -> None:
    gate = LoadGate(units)
    made = [a_load(*task) for task in tasks]
    taken = [task for task in made if gate.take(task)]
    assert [task.owner for task in taken] == passed
    for task in taken:
        gate.give_back(task)
    assert gate.has_room
    assert gate.take(made[-1])


def test_light_ones_that_pass_keep_no_place_from_a_heavier_one() -> None:
    """Seen: with fifty clips' sound waiting, one of two units was never free for another owner's picture (35 s)."""
    gate = LoadGate(2)
    picture, *_ = [task for task in (a_load("a", "first", 1), *[a_load("a", "light", 1)] * 2) if gate.take(task)]
    sound = [task for task in (a_load("a", "light", 1), a_load("a", "light", 1)) if gate.take(task)]
    gate.give_back(picture)
    assert len(sound) == 1
    assert gate.take(a_load("b", "first", 1))


@pytest.mark.parametrize("units", [1, 2, 5])
def test_no_more_run_at_once_than_are_promised_threads(units: int) -> None:
    """Seen: long, short and first ones together were more than the threads, and a first picture waited for one."""
    gate = LoadGate(units)
    everything = [a_load(f"{lane}-{n}", lane, 1) for lane in ("long", "light", "short") for n in range(3 * units)]
    assert sum(gate.take(task) for task in everything) == gate.most


def test_a_film_goes_on_and_short_ones_find_all_units(world: World) -> None:
    for number in range(3):
        waiting(world, f"film-{number}", lane="long", age=100)
        waiting(world, f"clip-{number}")
    claims = claims_of(world, units=2)
    assert claimed(claims, 6) == ["film-0", "clip-0", "clip-1"]


def test_what_one_kind_leaves_free_the_other_takes(world: World) -> None:
    for number in range(3):
        waiting(world, f"film-{number}", lane="long", age=100 - number)
    assert claimed(claims_of(world, units=2), 6) == ["film-0", "film-1"]


def test_bookkeeping_comes_before_what_loads_a_core(world: World) -> None:
    waiting(world, "video-0", age=100)
    waiting(world, "package", stage="package", lane="bookkeeping", load_units=0)
    assert claimed(claims_of(world), 2) == ["package", "video-0"]


def test_a_hundred_files_to_look_at_hide_nobodys_last_step(world: World) -> None:
    for number in range(100):
        waiting(world, f"probe-{number}", stage="probe", lane="bookkeeping", age=200 - number)
    waiting(world, "package", stage="package", lane="bookkeeping", load_units=0)
    assert claimed(claims_of(world, units=2), 5) == ["probe-0", "probe-1", "package"]


def test_who_received_least_of_late_goes_first_however_much_another_has_waiting(world: World) -> None:
    received(world, "greedy", 40.0)
    received(world, "modest", 1.0)
    for number in range(100):
        waiting(world, f"greedy-{number}", owner="greedy", age=500)
    waiting(world, "modest-0", owner="modest")
    assert claimed(claims_of(world), 1) == ["modest-0"]


def test_what_was_received_long_ago_or_in_another_lane_does_not_count(world: World) -> None:
    received(world, "ann", 400.0, ago=1000.0)
    received(world, "ann", 400.0, lane="long")
    received(world, "bob", 1.0)
    waiting(world, "of ann", owner="ann")
    waiting(world, "of bob", owner="bob", age=50)
    assert claimed(claims_of(world), 2) == ["of ann", "of bob"]


def test_what_counts_is_less_long_ago_where_very_much_is_done(world: World) -> None:
    recency = Recency()
    found = []
    for entries in (0, 5_000, 600_000, 5_000, 2_500, 4_000, 0, 0, 0, 0, 0, 0, 0):
        recency.read("short", entries)
        since = recency.since("short", 1000.0).least
        assert since is not None
        found.append(1000.0 - since)
    assert found == [600.0, 600.0, 5.0, 5.0, 10.0, 12.5, 25.0, 50.0, 100.0, 200.0, 400.0, 600.0, 600.0]
    assert recency.since("long", 1000.0).least == 400.0
    received(world, "greedy", 40.0, ago=20.0)
    received(world, "modest", 10.0, ago=20.0)
    for owner in ("greedy", "modest"):
        waiting(world, f"{owner}-0", owner=owner)
    claims = claims_of(world)
    claims.recency.read("short", 6_000)  # 500 s: both are compared over the same time
    assert claimed(claims, 2) == ["modest-0", "greedy-0"]


def test_owners_of_whom_nothing_is_known_take_turns(world: World) -> None:
    for owner in ("ann", "bob"):
        for number in range(4):
            waiting(world, f"{owner}-{number}", owner=owner)
    order = [name.partition("-")[0] for name in claimed(claims_of(world), 8)]
    assert all({*order[at : at + 2]} == {"ann", "bob"} for at in range(0, 8, 2)), order


def test_the_job_that_is_done_soonest_goes_first_and_its_longest_task_before_the_others(world: World) -> None:
    waiting(world, "large video", job_weight=60.0, weight=55.0, age=2)
    waiting(world, "small audio", job_weight=3.0, weight=1.0)
    waiting(world, "small video", job_weight=3.0, weight=2.0)
    assert claimed(claims_of(world), 3)[-1] == "large video"


def test_a_short_job_is_found_behind_two_hundred_older_long_ones_of_its_owner(world: World) -> None:
    for number in range(200):
        waiting(world, f"long-{number}", job_weight=500.0, age=300 - number)
    waiting(world, "short", job_weight=2.0)
    assert claimed(claims_of(world), 2) == ["short", "long-0"]


def many_waiting(world: World, count: int) -> None:
    """So many tasks of three owners, in one transaction."""
    one = waiting(world, age=500.0, job_weight=100.0)
    with closing(sqlite3.connect(world.runtime.settings.data_path / "mediaflow.db")) as connection, connection:
        columns = {row[1] for row in connection.execute("PRAGMA table_info(tasks)")} - {"id", "turn", "owner"}
        rest = ", ".join(sorted(columns))
        connection.execute(
            "WITH RECURSIVE copies(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < ?)"
            f" INSERT INTO tasks (id, turn, owner, {rest}) SELECT lower(hex(randomblob(16))), turn + n * 0.01,"
            f" 'owner-' || (n % 3), {rest} FROM tasks, copies WHERE tasks.id = ?",
            (count, one.id),
        )


def test_what_a_claim_costs_does_not_grow_with_what_waits(world: World) -> None:
    claims, database = claims_of(world), world.runtime.database

    def seconds() -> float:
        best = math.inf
        for _ in range(15):
            began = time.thread_time()
            task = claims.best()
            best = min(best, time.thread_time() - began)
            assert task is not None
            claims.done_with(task)
            database.tasks.change(task.id, {}, {"state": "pending", "seconds": 0.0, "started_at": None})
        return best

    many_waiting(world, 500)
    few = seconds()
    many_waiting(world, 20_000)
    assert database.tasks.count({"state": "pending"}) > 20_000
    assert seconds() < 2.5 * few


def test_a_job_takes_its_turn_by_when_it_was_made_and_what_it_costs(world: World) -> None:
    job = a_job(an_asset(owner="ann"))
    world.runtime.jobs.add_steps(job, [("video.h264", PlannedTask("video", weight=40.0)), ("x", PlannedTask("audio"))])
    turns = {task.name: task.turn - job.created_at for task in world.runtime.jobs.tasks(job.id)}
    assert turns == {"video": 41.0, "audio": 41.0, "package": 0.0, "publish": 0.0}


def test_what_opens_and_waits_for_something_does_not_hold_that_up(world: World) -> None:
    look = PlannedTask("look", rank=1)
    later = PlannedTask("later", makes=("720p",), segments=5, when="on_demand", needs=("look",))
    job = a_job(an_asset(owner="ann"))
    world.runtime.jobs.add_steps(job, [("x", PlannedTask("first", rank=0)), ("x", look), ("x", later)])

    needs = {task.name: set(task.needs) for task in world.runtime.jobs.tasks(job.id)}
    assert needs["look"] == {"plan", "first"}
    assert needs["later_init"] == {"plan", "look"}
    assert needs["open"] == {"first", "later_init"}


def test_nothing_waits_for_ever_behind_shorter_ones(world: World) -> None:
    waiting(world, "large", job_weight=60.0, age=61)
    waiting(world, "small", job_weight=0.5)
    assert claimed(claims_of(world), 2) == ["large", "small"]


def test_a_higher_priority_goes_first_and_what_can_not_be_carried_keeps_nothing_lower_from_running(
    world: World,
) -> None:
    waiting(world, "usual", age=100)
    waiting(world, "wanted, large", priority=5, load_units=2)
    waiting(world, "wanted", priority=5, age=1)
    assert claimed(claims_of(world, units=2), 3) == ["wanted", "usual"]


def test_smaller_ones_do_not_pass_a_large_one_for_ever(world: World) -> None:
    waiting(world, "large", load_units=2, age=100, priority=1)
    claims = claims_of(world, units=2)
    first = a_load("x", "short", 1)
    assert claims.gate.take(first)
    waiting(world, "small", owner="x")
    assert claimed(claims, 2) == []  # it lets what runs come to its end
    claims.gate.give_back(first)
    assert claimed(claims, 1) == ["large"]


def test_a_crash_counts_as_a_failure_and_a_success_does_not(world: World) -> None:
    task = waiting(world, "plan")
    claims = claims_of(world)
    assert claims.best() is not None
    world.runtime.database.tasks.change(task.id, {}, {"lease_until": 1.0})
    world.runtime.reconciler.sweep()
    again = claims_of(world).best()
    assert again is not None
    assert (again.attempt, again.failures) == (2, 1)
