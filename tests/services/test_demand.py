"""What is made where it is watched: asked for, made, kept, evicted, made again; and what bounds it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mediaflow.domain.errors import NotFound
from mediaflow.domain.keys import asset_prefix
from mediaflow.domain.records import Asset, Job
from mediaflow.plugin import Part
from mediaflow.plugin.wire import load
from mediaflow.services.access.principals import Principal
from mediaflow.services.assets.library import JobQuery
from mediaflow.services.delivery import demand
from mediaflow.services.delivery.awaiting import NotMade
from mediaflow.services.delivery.demand import Demand
from mediaflow.services.pipeline.givingway import FRESH_SECONDS, LEAST_SECONDS, gives_way, relies_on
from mediaflow.services.pipeline.outlook import MadeOf
from mediaflow.services.upkeep import eviction as eviction_module
from mediaflow.services.upkeep.eviction import GRACE_SECONDS, Eviction
from tests.services.test_opening import addresses, frames_of
from tests.services.working import (
    LARGE,
    SECONDS,
    SMALL,
    ask,
    asset_of,
    published_file,
    ready,
    small_world,
    watched_clip,
    work,
)
from tests.services.world import World

ANN = Principal("ann", "user")
source, world = watched_clip, small_world


def pieces(world: World) -> list[Job]:
    return world.runtime.database.jobs.find({"kind": "demand"})


def planned_and_made(world: World, asset: Asset) -> dict[str, tuple[str, int | None, int | None]]:
    """What the asset's plan tells of each picture: when it is made, its segments, and how many of them are there."""
    told = world.runtime.plans.of(ANN, asset.id).outlook
    assert told.left_out == ()
    return {r.name: (r.when, r.segments, r.segments_made) for r in told.renditions if r.kind == "video"}


def a_minute_later(world: World) -> None:
    """No process remembers what was asked for, and no piece is there any more."""
    runtime = world.runtime
    runtime.demand = Demand(runtime.database, runtime.jobs, runtime.metrics)
    for job in pieces(world):
        for task in runtime.jobs.tasks(job.id):
            runtime.database.tasks.change(task.id, {}, {"name": f"{task.name}-before"})
        runtime.database.jobs.change(job.id, {}, {"finished_at": 1.0})
    runtime.reconciler.sweep()
    assert pieces(world) == []


def test_nothing_of_it_is_made_before_it_is_watched(world: World, source: Path) -> None:
    asset = ready(world, source)
    assert asset.published is not None
    assert {r["name"]: r["when"] for r in asset.published.renditions} == {LARGE: "on_demand", SMALL: "eager"}
    assert world.runtime.library.made(asset) == {LARGE: 0}
    assert planned_and_made(world, asset) == {LARGE: ("on_demand", SECONDS, 0), SMALL: ("eager", SECONDS, SECONDS)}
    assert len(addresses(world, asset, LARGE)) == len(addresses(world, asset, SMALL)) == 1 + SECONDS
    assert published_file(world, asset, addresses(world, asset, LARGE)[0])[4:8] == b"ftyp"
    assert pieces(world) == []


def test_a_segment_is_made_for_who_waits_with_what_comes_next_and_stays(
    world: World, source: Path, tmp_path: Path
) -> None:
    asset = ready(world, source)
    path = addresses(world, asset, LARGE)
    assert all(ask(world, asset, path[4]) for _ in range(3))
    (piece,) = pieces(world)
    assert (piece.priority, piece.owner) == (101, "ann")
    assert world.runtime.library.jobs(ANN, JobQuery()).total == 1, "people see what they uploaded"
    work(world)
    assert [job.state for job in pieces(world)] == ["done"]
    made = [published_file(world, asset, each) for each in path[4:]]
    assert world.runtime.library.made(asset) == {LARGE: len(made)} == {LARGE: 4}
    assert planned_and_made(world, asset)[LARGE] == ("on_demand", SECONDS, 4)
    assert world.runtime.plans.of(ANN, asset.id).outlook.made_on_demand == MadeOf(4, sum(map(len, made)))

    assert ask(world, asset, path[1])
    work(world)
    assert [published_file(world, asset, each) for each in path[4:]] == made, "the first of a number stays"
    assert len(pieces(world)) == 2
    (tmp_path / "whole.mp4").write_bytes(b"".join(published_file(world, asset, each) for each in path))
    assert frames_of(tmp_path / "whole.mp4") == SECONDS * 25


def test_what_nobody_waits_for_is_not_begun(world: World, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demand, "WANTED_SECONDS", -1.0)
    asset = ready(world, source)
    assert ask(world, asset, addresses(world, asset, LARGE)[1])
    work(world)
    assert [(job.state, (job.error or {}).get("code")) for job in pieces(world)] == [("cancelled", "job.unwanted")]
    assert world.runtime.library.made(asset) == {LARGE: 0}


def test_what_viewers_can_begin_is_bounded(world: World, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demand, "MOST_OF_OWNER", 1)
    monkeypatch.setattr(demand, "AHEAD", (1, 1))
    asset = ready(world, source)
    path = addresses(world, asset, LARGE)
    assert ask(world, asset, path[1])
    assert not ask(world, asset, path[6]), "the owner's share is used up"
    assert not ask(world, asset, path[6]), "who asks again at once is not left to wait for what nobody began"
    work(world)
    monkeypatch.setattr(demand, "REFUSED_SECONDS", 0.0)
    assert ask(world, asset, path[6])
    monkeypatch.undo()
    monkeypatch.setattr(demand, "AHEAD", (1, 1))
    work(world)
    with pytest.raises(NotMade) as not_made:
        published_file(world, asset, path[3])
    assert not world.runtime.demand.want(not_made.value.wanted, lambda: False), "the address asked for too much"
    assert len(pieces(world)) == 2


def test_of_a_deleted_asset_nothing_is_made_until_it_is_restored(world: World, source: Path) -> None:
    asset = ready(world, source)
    path = addresses(world, asset, LARGE)[1]
    assert ask(world, asset, path)
    world.runtime.trash.delete(ANN, asset.id)
    assert [job.state for job in pieces(world)] == ["cancelled"]
    with pytest.raises(NotFound):
        published_file(world, asset, path)
    world.runtime.trash.restore(ANN, asset.id)
    a_minute_later(world)
    asset = asset_of(world, asset.id)
    assert ask(world, asset, path)
    work(world)
    assert published_file(world, asset, path)


def test_within_a_budget_what_was_watched_longest_ago_goes_and_is_made_again(world: World, source: Path) -> None:
    # given: an asset that was watched, and a budget of one byte
    runtime, asset = world.runtime, ready(world, source)
    path = addresses(world, asset, LARGE)
    assert ask(world, asset, path[1])
    work(world)
    before = published_file(world, asset, path[1])
    eviction = Eviction(runtime.database, runtime.storage, runtime.files, runtime.metrics, 1, 3600.0)

    # then: nothing goes while somebody may be watching
    eviction.sweep()
    assert published_file(world, asset, path[1]) == before

    # when: nobody has for a day
    made = next(m for m in runtime.database.segments.find({"track": LARGE}) if m.number == 0)
    runtime.database.assets.change(asset.id, {}, {"watched_at": runtime.database.now() - 86400})
    eviction.sweep()
    assert runtime.library.made(asset) == {LARGE: 0}
    key = asset_prefix(asset.id) + made.path
    assert runtime.storage.stat(key) is not None, "somebody may still be reading it"
    for noted in runtime.database.leftovers.find({"kind": "evicted"}):
        runtime.database.leftovers.change(noted.id, {}, {"found_at": noted.found_at - GRACE_SECONDS})
    eviction.sweep()
    assert runtime.storage.stat(key) is None
    assert runtime.database.leftovers.count({"kind": "evicted"}) == 0

    # then: it can be watched again, as another object
    assert published_file(world, asset, path[0]), "the init segment stays"
    a_minute_later(world)
    assert ask(world, asset, path[1])
    work(world)
    assert published_file(world, asset, path[1])


def test_what_may_be_watched_still_hides_nothing_that_may_go(
    world: World, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, asset = world.runtime, ready(world, source)
    assert ask(world, asset, addresses(world, asset, LARGE)[1])
    work(world)
    day = 86_400.0
    for number in range(3):  # of a week of video, watched two days ago
        watched_at = runtime.database.now() - 2 * day + number  # apart, though inserted in one millisecond
        long = replace(asset, id=f"{number:032x}", duration_seconds=7 * day, watched_at=watched_at)
        assert runtime.database.assets.insert(long)
    runtime.database.assets.change(asset.id, {}, {"watched_at": runtime.database.now() - day})
    monkeypatch.setattr(eviction_module, "LOOKED_AT", 2)
    eviction = Eviction(runtime.database, runtime.storage, runtime.files, runtime.metrics, 1, 3600.0)
    for _ in range(3):
        eviction.sweep()
    assert runtime.library.made(asset) == {LARGE: 0}


def test_a_later_generation_keeps_its_own(world: World, source: Path) -> None:
    asset = ready(world, source)
    assert ask(world, asset, addresses(world, asset, LARGE)[2])
    work(world)
    world.runtime.reprocess.asset(ANN, asset.id, None)
    work(world)
    asset = asset_of(world, asset.id)
    assert asset.generation == 2
    assert planned_and_made(world, asset) == {LARGE: ("on_demand", SECONDS, 0), SMALL: ("eager", SECONDS, SECONDS)}
    path = addresses(world, asset, LARGE)
    assert "g2/" in path[1]
    assert ask(world, asset, path[1])
    work(world)
    world.runtime.database.assets.change(asset.id, {}, {"sweep_at": 1.0})
    world.runtime.reconciler.sweep()
    assert world.runtime.database.segments.count({"generation": 1}) == 0
    assert published_file(world, asset, path[1])


def test_a_piece_gives_way_to_another_where_nobody_relies_on_more_of_it(world: World, source: Path) -> None:
    asset, database = ready(world, source), world.runtime.database
    addressed = addresses(world, asset, LARGE)
    assert ask(world, asset, addressed[1])
    (piece,) = database.tasks.find({"state": "pending", "stage": "step"})
    assert (piece.wanted_to, load(Part, piece.part).count) == (0, SECONDS)
    # weighed so that a segment is worth having begun
    running = {"state": "running", "attempt": 1, "weight": SECONDS * LEAST_SECONDS}
    begun = database.tasks.change(piece.id, {}, running)
    assert begun is not None
    assert not gives_way(database, begun, 0), "nobody waits for anything else"
    small = database.tasks.change(piece.id, {}, {"weight": 0.1})
    other = replace(piece, id="b" * 32, job_id="a" * 32, name="another")
    database.tasks.insert(replace(other, state="running", started_at=database.now()))
    assert small is not None
    assert not gives_way(database, small, 0), "there is too little of it"
    assert ask(world, asset, addressed[2])
    assert database.tasks.peek(piece.id, ("wanted_to",)) == {"wanted_to": 1}
    assert not gives_way(database, begun, 0), "somebody waits for its next segment"
    assert relies_on(database, begun, 1, 9.0), "who saw it before that may rely on it as well"

    assert not gives_way(database, replace(begun, started_at=database.now() + 1), 1), "it is the later one"
    database.tasks.change(other.id, {}, {"started_at": database.now() - FRESH_SECONDS - 0.1})
    assert not gives_way(database, begun, 1), "both have been at it for long"
    database.tasks.change(other.id, {}, {"state": "pending"})

    assert gives_way(database, begun, 1)

    ended = database.tasks.get(piece.id)
    assert ended is not None
    assert load(Part, ended.part).count == 2
    assert not relies_on(database, ended, 2, 9.0)
    assert not relies_on(database, begun, 2, 9.0), "who saw it before that may not"
    assert ask(world, asset, addressed[3])
    assert database.jobs.count({"kind": "demand"}) == 2, "what is no longer made by one is made by another"
