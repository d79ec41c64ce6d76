"""Segments that are kept while others are being made: by whom, and until when."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain.errors import TaskFailed
from mediaflow.domain.ids import task_id
from mediaflow.domain.queue import DEMAND_PRIORITY
from mediaflow.domain.records import Task
from mediaflow.plugin import Artifact, Part
from mediaflow.plugin.wire import dump, load
from mediaflow.services.pipeline.keeping import Keeping
from mediaflow.services.pipeline.lease import Lease
from mediaflow.services.pipeline.segments import Segments
from tests.services.records import a_job, a_task, an_asset
from tests.services.world import World, make_world

DATA = b"a segment"


def segment(number: int) -> Artifact:
    return Artifact(f"{number}.m4s", "segment", "video/mp4", len(DATA), track="360p", number=number)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path / "data")


def keeping(world: World, directory: Path, name: str, step: str) -> Keeping:
    """What keeps the files of a task's first attempt, which works in the directory."""
    job = a_job(an_asset(id="a" * 32), id="b" * 32)
    task: Task = a_task(job, name, id=task_id(job.id, name), step=step, rank=1)
    return kept_of(world, directory, task)


def kept_of(world: World, directory: Path, task: Task) -> Keeping:
    world.runtime.database.tasks.insert(task)
    storage = world.runtime.storage
    lease = Lease(world.runtime.execution.claims, task, lambda: False)
    return Keeping(storage, Segments(world.runtime.database, storage), task, f"g1/{task.name}.1", directory, lease)


def test_a_step_that_makes_another_ones_segments_is_named(world: World, tmp_path: Path) -> None:
    """It may tell of them early and not in the end: then nothing but this would find out whose they are."""
    (tmp_path / "0.m4s").write_bytes(DATA)
    first = keeping(world, tmp_path, "evil", "evil.step")
    with first.while_made() as made:
        made(segment(0))
    with pytest.raises(TaskFailed, match=r"'evil\.step' and 'video\.h264' both make segment 0 of '360p'") as caught:
        keeping(world, tmp_path, "video-low", "video.h264").keep(_document(0))
    assert caught.value.code == "job.name_taken"


def test_tasks_of_one_step_share_their_segments(world: World, tmp_path: Path) -> None:
    (tmp_path / "0.m4s").write_bytes(DATA)
    keeping(world, tmp_path, "video-first", "video.h264").keep(_document(0))
    assert keeping(world, tmp_path, "video-low", "video.h264").keep(_document(0))["at"] == "g1/video-first.1/0.m4s"


def test_nothing_more_is_kept_of_a_step_that_failed(world: World, tmp_path: Path) -> None:
    count = 1000
    for number in range(count):
        (tmp_path / f"{number}.m4s").write_bytes(DATA)

    def fail() -> None:
        with keeping(world, tmp_path, "video-low", "video.h264").while_made() as made:
            for number in range(count):
                made(segment(number))
            raise TaskFailed("no")

    with pytest.raises(TaskFailed):
        fail()
    assert world.runtime.database.segments.count({}) < count / 2


def test_a_piece_lets_others_go_first_when_it_has_made_what_somebody_waits_for(world: World, tmp_path: Path) -> None:
    kept = kept_of(world, tmp_path, replace(part_of(first=0, count=4), wanted_until=99.0, wanted_to=1))
    ahead = []
    for number in range(4):
        (tmp_path / f"{number}.m4s").write_bytes(DATA)
        kept.keep(_document(number))
        ahead.append(kept.is_ahead)
        if number == 1:
            world.runtime.database.tasks.change(kept.task.id, {}, {"wanted_to": 3})
    assert ahead == [False, True, False, True]
    assert not kept.rest_is_needless, "nobody waits for anything else"


def test_what_is_needless_stays_so(world: World, tmp_path: Path) -> None:
    """Of a piece that gave way more may have been made already: its child is ended, and must not count as failed."""
    task = replace(part_of(first=0, count=4), wanted_until=99.0, state="running", attempt=1, weight=99.0)
    kept = kept_of(world, tmp_path, task)
    world.runtime.database.tasks.insert(
        replace(task, id="d" * 32, name="other", state="pending", ready=True, lane="first", priority=DEMAND_PRIORITY)
    )
    needless = []
    for number in range(4):
        (tmp_path / f"{number}.m4s").write_bytes(DATA)
        kept.keep(_document(number))
        needless.append(kept.rest_is_needless)
    assert needless == [True] * 4
    ended = world.runtime.database.tasks.get(task.id)
    assert ended is not None
    assert load(Part, ended.part).count == 1, "its end moved back once"


def test_of_a_part_what_others_have_made_is_made_no_more(world: World) -> None:
    task = part_of(first=2, count=3)
    segments = Segments(world.runtime.database, world.runtime.storage)
    made: list[tuple[set[int], tuple[int, int] | None]] = []
    for number in (1, 5, 4, 2, 3):  # those beside it are no part of it
        recorded(world, task, number)
        part = segments.to_make(task)
        assert part is not None
        made.append(({which for _, which in segments.of_part(task)}, (part.first, part.count)))
    assert made == [
        (set(), (2, 3)),
        (set(), (2, 3)),
        ({4}, (2, 2)),
        ({2, 4}, (3, 1)),
        ({2, 3, 4}, (2, 0)),
    ]
    assert [segments.are_made(task, since) for since in (2, 4)] == [True, True]
    mine = [{"track": "360p", "number": 3}]
    assert sorted(listed["number"] for listed in segments.of_others(task, mine)) == [2, 4]


def test_records_of_what_is_made_on_demand_stay_with_the_published_generation(world: World) -> None:
    for generation in (1, 2, 3, 4):
        for eager in (True, False):
            recorded(world, part_of(first=0, count=2, generation=generation, eager=eager), int(eager))
    Segments(world.runtime.database, world.runtime.storage).forget("a" * 32, before=4, published=2)
    kept = world.runtime.database.segments.find({}, sort=("generation", "number"))
    assert [(made.generation, made.eager) for made in kept] == [(2, False), (4, False), (4, True)]


def part_of(*, first: int, count: int, generation: int = 1, eager: bool = True) -> Task:
    """A task that makes so many segments of the 360p."""
    job = a_job(an_asset(id="a" * 32), id="b" * 32, generation=generation)
    part = dump(Part(("360p",), first, count))
    return a_task(job, f"video_{first}", part=part, whole="video", watched=True, eager=eager, generation=generation)


def recorded(world: World, task: Task, number: int) -> None:
    Segments(world.runtime.database, world.runtime.storage).keep(
        task, f"g{task.generation}/other.1/{number}.m4s", segment(number), lambda _path: None
    )


def _document(number: int) -> dict[str, Any]:
    return {
        "path": f"{number}.m4s",
        "role": "segment",
        "content_type": "video/mp4",
        "size_bytes": len(DATA),
        "track": "360p",
        "number": number,
    }
