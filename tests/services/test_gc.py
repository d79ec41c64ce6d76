"""Garbage goes in two passes, and nothing that a document names, or that may be being written, ever does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain import keys
from mediaflow.domain.ids import new_id
from mediaflow.domain.publication import Files
from mediaflow.services.integrity.collector import Collector, CollectorSweeper
from mediaflow.services.integrity.stalerecords import CHUNKS, SEGMENTS, USERS
from tests.services.pipeline import Pipeline
from tests.services.records import a_segment
from tests.services.world import World

HOUR = 3600.0


@pytest.fixture
def pipeline(world: World) -> Pipeline:
    return Pipeline(world)


@pytest.fixture
def collector(pipeline: Pipeline) -> Collector:
    return pipeline.world.runtime.collector()


def age(pipeline: Pipeline, seconds: float = 2 * HOUR) -> None:
    """Everything in the storage was written so long ago, and what was found was found then."""
    runtime = pipeline.world.runtime
    for path in (runtime.settings.data_path / "objects").rglob("*"):
        if path.is_file():
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - seconds))
    for found in runtime.database.leftovers.find({}):
        changed = found.changed_at - seconds
        runtime.database.leftovers.change(found.id, {}, {"found_at": found.found_at - seconds, "changed_at": changed})


def passed(collector: Collector, *, dry: bool = False) -> dict[str, set[str]]:
    """The places by what one pass did about them."""
    found: dict[str, set[str]] = {"removed": set(), "found": set(), "young": set()}
    for done in collector.passing(dry=dry):
        if done is not None:
            found[done.what].add(done.place.place)
    return found


def strays(pipeline: Pipeline, asset_id: str) -> set[str]:
    """Puts garbage of every kind into the storage; the places."""
    gone, prefix, runtime = new_id(), keys.asset_prefix(asset_id), pipeline.world.runtime
    places = {
        f"{prefix}g1/video-0.9/",
        f"{prefix}captions/en.1.vtt",
        keys.asset_prefix(gone),
        keys.shared_original_key("ann", "b" * 64, gone),
        keys.upload_key(gone),
    }
    for place in places:
        pipeline.put(place + ("g1/x.1/0.m4s" if place == keys.asset_prefix(gone) else "0.m4s" * place.endswith("/")))
    handle = runtime.ingest.parts.begin_parts(keys.upload_key(gone), size_bytes=9, part_bytes=9, content_type="x/y")
    return {*places, handle}


def test_garbage_goes_in_two_passes_and_nothing_else_does(pipeline: Pipeline, collector: Collector) -> None:
    # given
    asset_id = pipeline.ready()
    pipeline.work()
    kept = set(pipeline.objects())
    garbage = strays(pipeline, asset_id)
    # when, then
    assert passed(collector) == {"removed": set(), "found": set(), "young": garbage}
    age(pipeline)
    assert passed(collector, dry=True) == {"removed": set(), "found": garbage, "young": set()}
    assert passed(collector) == {"removed": set(), "found": garbage, "young": set()}
    assert passed(collector) == {"removed": set(), "found": garbage, "young": set()}, "an hour has not gone by"
    age(pipeline)
    assert passed(collector, dry=True)["removed"] == garbage
    assert len(pipeline.objects()) == len(kept) + len(garbage) - 1
    assert passed(collector) == {"removed": garbage, "found": set(), "young": set()}
    assert set(pipeline.objects()) == kept
    assert passed(collector) == {"removed": set(), "found": set(), "young": set()}
    assert list(pipeline.world.runtime.fsck().findings()) == []


def test_what_is_being_made_is_kept_however_old(pipeline: Pipeline, collector: Collector) -> None:
    # given
    runtime = pipeline.world.runtime
    stored = pipeline.stored(b"its steps are done")
    pipeline.work("probe", "validate", "plan", "step")
    pipeline.announced(b"on its way")
    pipeline.sent(b"to be assembled")
    running = pipeline.stored(b"its step is running")
    pipeline.work("probe", "validate", "plan")
    (task,) = runtime.database.tasks.find({"asset_id": running, "stage": "step", "rank": 2})
    runtime.database.tasks.change(task.id, {}, {"state": "running", "attempt": 2})
    lost, held = (f"{keys.asset_prefix(running)}g1/video-0.{number}/" for number in (1, 2))
    for place in (lost, held):
        pipeline.put(place + "0.m4s")
    before = set(pipeline.objects())
    # when
    for _ in range(3):
        age(pipeline)
        found = passed(collector)
    # then
    assert found == {"removed": set(), "found": set(), "young": set()}
    assert before - set(pipeline.objects()) == {lost + "0.m4s"}
    age(pipeline)
    runtime.database.tasks.change(task.id, {}, {"state": "pending"})
    pipeline.assemble()
    pipeline.work()
    assert pipeline.asset(stored).state == "ready"
    assert [found for found in runtime.fsck().findings() if not found.note] == []


@pytest.mark.parametrize("moves", ["is named", "is written again"])
def test_what_changes_after_it_was_found_is_kept(pipeline: Pipeline, collector: Collector, moves: str) -> None:
    # given
    asset_id = pipeline.ready()
    path = "captions/en.1.vtt"
    key = keys.asset_prefix(asset_id) + path
    pipeline.put(key)
    age(pipeline)
    assert passed(collector)["found"] == {key}
    age(pipeline)
    # when
    if moves == "is named":
        entry = {"language": "en", "label": "English", "default": False, "path": path, "size_bytes": 1}
        pipeline.world.runtime.database.assets.change(asset_id, {}, {"captions": [entry]})
    else:
        pipeline.put(key)
    # then
    assert passed(collector)["removed"] == set()
    assert key in pipeline.objects()


def test_an_older_original_is_no_beginning_of_a_newer_ones_key(pipeline: Pipeline, collector: Collector) -> None:
    """The key of before there were blobs is the beginning of all keys of today with the same content."""
    # given
    asset = pipeline.asset(pipeline.ready())
    older = keys.original_key(asset.owner, asset.sha256 or "")
    assert (asset.original_key or "").startswith(older)
    pipeline.put(older)
    # when
    for _ in range(3):
        age(pipeline)
        passed(collector)
    # then
    assert older not in pipeline.objects()
    assert asset.original_key in pipeline.objects()


def test_records_of_chunks_go_a_month_after_their_upload(pipeline: Pipeline, collector: Collector) -> None:
    # given
    database = pipeline.world.runtime.database
    pipeline.ready()
    pipeline.sent(b"not assembled yet")
    queued = database.uploads.find({"state": "queued"})[0]
    assert database.chunks.count({}) == 2
    assert passed(collector)["removed"] == set()
    # when
    for upload in database.uploads.find({}):
        database.uploads.change(upload.id, {}, {"updated_at": database.now() - 31 * 24 * HOUR})
    # then
    assert passed(collector)["removed"] == {CHUNKS}
    assert [chunk.upload_id == queued.id for chunk in database.chunks.find({})] == [False]


def test_records_of_segments_that_nobody_can_ask_for_go_and_then_what_they_named(
    pipeline: Pipeline, collector: Collector
) -> None:
    # given: of a generation that came to nothing, and of what is made on demand
    database, asset = pipeline.world.runtime.database, pipeline.asset(pipeline.ready())
    assert asset.published is not None
    awaited = Files(keys.tracks_path(1), {}, awaited={"180p": 4})
    published = replace(asset.published, files=(*asset.published.files, awaited))
    database.assets.change(asset.id, {}, {"published": published})
    paths = {generation: f"g{generation}/high_180p_3_1.1/180p/3.m4s" for generation in (1, 2)}
    for generation, path in paths.items():
        pipeline.put(keys.asset_prefix(asset.id) + path)
        database.segments.insert(a_segment(asset, path, 3, generation=generation))
    database.segments.insert(a_segment(asset, paths[2], 2, generation=2, created_at=database.now()))
    # when, then
    assert passed(collector)["removed"] == {SEGMENTS}
    assert {(made.generation, made.number) for made in database.segments.find({"track": "180p"})} == {(1, 3), (2, 2)}
    for _ in range(3):
        age(pipeline)
        passed(collector)
    assert [keys.asset_prefix(asset.id) + path in pipeline.objects() for path in paths.values()] == [True, False]


def test_assets_that_are_gone_are_taken_off_the_users_of_originals(pipeline: Pipeline, collector: Collector) -> None:
    # given: who stood still through a purge listed them, and died before looking again
    runtime = pipeline.world.runtime
    kept, shared = pipeline.asset(pipeline.ready()), runtime.database.blobs.find({})[0]
    runtime.database.blobs.change(shared.id, {}, {"assets": [kept.id, "gone"]})
    alone = replace(shared, id="b" * 32, key="originals/ann/nothing", assets=["gone, too"])
    runtime.database.blobs.insert(alone)
    # when, then
    assert passed(collector, dry=True)["removed"] == {USERS}
    assert passed(collector)["removed"] == {USERS}
    assert [blob.assets for blob in runtime.database.blobs.find({})] == [[kept.id]]
    assert kept.original_key in pipeline.objects()
    assert passed(collector)["removed"] == set()


def test_what_is_remembered_is_bounded(
    pipeline: Pipeline, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediaflow.services.integrity.collector.MOST_FOUND", 3)
    for _ in range(8):
        pipeline.put(keys.upload_key(new_id()))
    age(pipeline)
    assert len(passed(collector)["found"]) == 3
    removed = 0
    for _ in range(4):
        age(pipeline)
        removed += len(passed(collector)["removed"])
        assert pipeline.world.runtime.database.leftovers.count({}) <= 3
    assert removed == 8


def test_workers_pass_a_little_at_a_time_and_one_of_them_does(
    pipeline: Pipeline, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr("mediaflow.services.integrity.collector.SWEEP_SECONDS", -1.0)
    database = pipeline.world.runtime.database
    garbage = strays(pipeline, pipeline.ready())
    age(pipeline)
    one, other = (CollectorSweeper(collector, 6 * HOUR) for _ in range(2))

    def sweeps() -> Iterator[int]:
        for _ in range(50):
            one.sweep()
            other.sweep()
            yield database.leftovers.count({})

    # when
    counts = list(sweeps())
    # then
    assert counts[0] < counts[-1] == len(garbage) + 1, "what was found, and that somebody looked"
    assert other._passing is None
    age(pipeline, 7 * HOUR)
    list(sweeps())
    assert database.leftovers.count({}) == 1
    never = CollectorSweeper(collector, 0)
    never.sweep()
    assert never._passing is None


def test_directories_of_dead_processes_go(pipeline: Pipeline) -> None:
    work: Any = pipeline.world.runtime.work
    mine: Path = work.path
    (mine.parent / "123-dead").mkdir()
    assert work.remove_dead(dry=True) == [mine.parent / "123-dead"]
    assert work.remove_dead() == [mine.parent / "123-dead"]
    assert list(mine.parent.iterdir()) == [mine]
