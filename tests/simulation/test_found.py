"""What the simulation found, each as a story of its own: one fault at one moment, and all must be well afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from mediaflow.domain import keys
from mediaflow.domain.errors import MediaflowError
from mediaflow.domain.ids import segment_id
from mediaflow.domain.madesegments import MadeSegment
from mediaflow.domain.states import MAX_ATTEMPTS, WORK_ENDED
from mediaflow.services.access.principals import Principal
from mediaflow.services.integrity.collector import Collector
from mediaflow.services.uploads.acceptance import NewUpload
from mediaflow.services.uploads.chunks import ChunkBody, ChunkWriter
from tests.simulation import invariants, invariants_of_segments
from tests.simulation.determined import determined
from tests.simulation.faults import Faults
from tests.simulation.histories import run
from tests.simulation.scheduler import Crashed
from tests.simulation.world import Node, World, make_world


@pytest.fixture
def world() -> Iterator[World]:
    made = make_world("found", invariants.watching, lambda _rng: Faults(hint_lost=1.0, hint_twice=0.0))
    with determined(made.rng):
        yield made


def a_node(world: World) -> Node:
    return Node(world, world.process("a"))


def befalls(world: World, call: str, what: str, act: Callable[[], object]) -> None:
    """Do it, and have that befall its next call of that name."""
    world.faults.planned = {call: what}
    with pytest.raises((Crashed, MediaflowError)):
        act()
    assert world.faults.planned == {}


def sent(node: Node, data: bytes = b"film one") -> str:
    """The id of an upload whose bytes are all there."""
    return taken_in(node, data, NewUpload(filename="f", size_bytes=len(data), auto_complete=False))


def taken_in(node: Node, data: bytes, announced: NewUpload) -> str:
    upload, _ = node.ingest.announce("ann", announced)
    node.ingest.receive("ann", upload.id, 0, [data], content_length=len(data), digest=None)
    node.ingest.complete("ann", upload.id)
    return upload.id


def later(world: World, *seconds: float) -> None:
    node = a_node(world)
    for each in seconds:
        world.scheduler.now += each
        node.reconciler.sweep()


def test_a_claim_that_the_database_did_not_answer_keeps_no_load_units(world: World) -> None:
    node = a_node(world)
    node.assembly.finish(sent(node))
    befalls(world, "tasks.change", "away before", node.execution.work)
    assert node.execution.work() > 0, "the task is claimed by the same worker"


def test_who_dies_after_ending_a_job_leaves_no_task_that_waits_for_ever(world: World) -> None:
    node = a_node(world)
    node.assembly.finish(sent(node))
    (job,) = world.database.records("jobs")
    befalls(world, "jobs.change", "crash after", lambda: node.jobs.end(job, "cancelled", None))
    assert [task.state for task in world.database.records("tasks")] == ["pending"] * 3
    later(world, 1.0)
    assert {task.state for task in world.database.records("tasks")} == {"cancelled"}


@pytest.mark.parametrize("call", ["uploads.insert", "assets.insert"])
@pytest.mark.parametrize("what", ["crash before", "crash after", "away before", "away after"])
def test_who_dies_while_announcing_leaves_no_asset_that_counts_for_ever(world: World, call: str, what: str) -> None:
    node = a_node(world)
    befalls(world, call, what, lambda: node.ingest.announce("ann", NewUpload(filename="f", size_bytes=10)))
    later(world, 500.0, 90_000.0)
    assert (world.database.records("assets"), world.database.records("uploads")) == ([], [])


def test_an_assembly_that_finds_the_bytes_of_another_leaves_none_where_they_arrived(world: World) -> None:
    first, second = a_node(world), a_node(world)
    one, other = sent(first), sent(first)
    befalls(world, "blobs.get", "crash before", lambda: first.assembly.finish(one))  # its SHA-256 is known by then
    second.assembly.finish(other)
    world.scheduler.now += 40.0
    second.assembly.finish(one)
    assert [key.partition("/")[0] for key in world.storage.objects] == ["originals"]


def test_nothing_is_purged_while_a_task_waits_that_may_be_claimed(world: World) -> None:
    node = a_node(world)
    node.assembly.finish(sent(node))
    (job,) = world.database.records("jobs")
    befalls(world, "jobs.change", "crash after", lambda: node.jobs.end(job, "cancelled", None))
    node = a_node(world)
    node.trash.delete(Principal("ann", "user"), job.asset_id, purge=True)
    assert not node.purge.purge(world.database.records("assets")[0])
    later(world, 1.0, 1.0)
    assert (world.database.records("assets"), world.database.records("tasks")) == ([], [])


def test_what_a_dead_worker_held_keeps_no_purge_waiting(world: World) -> None:
    node = Node(world, world.process("worker0:0:1@place0"))
    node.assembly.finish(sent(node))
    befalls(world, "storage.read", "crash before", node.execution.work)
    beside = Node(world, world.process("worker1:1:1@place0"))
    beside.orphans.give_back()
    beside.trash.delete(Principal("ann", "user"), world.database.records("assets")[0].id, purge=True)
    beside.reconciler.sweep()
    assert world.database.records("assets") == []


def test_who_dies_while_it_writes_down_that_a_task_is_poison_did_not_die_of_it(world: World) -> None:
    node = a_node(world)
    node.assembly.finish(sent(node))
    for _ in range(MAX_ATTEMPTS + 3):
        assert a_node(world).execution.claims.best() is not None
        later(world, 40.0)
    assert a_node(world).execution.work() == 1
    (probe,) = (task for task in world.database.records("tasks") if task.name == "probe")
    assert (probe.state, probe.failures, probe.error["code"]) == ("failed", MAX_ATTEMPTS, "job.poison")
    assert f"(attempt {MAX_ATTEMPTS})" in probe.error["detail"], "how the last one ended that died of it"


def test_a_chunk_that_was_claimed_after_its_upload_was_forgotten_is_garbage(world: World) -> None:
    node = a_node(world)
    upload, _ = node.ingest.announce("ann", NewUpload(filename="f", size_bytes=10))
    node.ingest.abort("ann", upload.id)
    later(world, 90_000.0)
    assert world.database.records("uploads") == []
    body = ChunkBody(upload, 0, [bytes(10)], content_length=10, digest=None)
    writer = ChunkWriter(node.database, node.storage, node.process.elapsed)
    befalls(world, "storage.put_part", "crash before", lambda: writer.write(upload, 0, body))
    assert [chunk.state for chunk in world.database.records("chunks")] == ["writing"]
    world.scheduler.now += 90_000.0
    list(Collector(world.database, world.storage, 60.0).passing())
    assert world.database.records("chunks") == []


def test_what_is_written_by_who_claimed_a_task_after_its_jobs_end_is_swept(world: World) -> None:
    node = a_node(world)
    node.assembly.finish(sent(node))
    node.execution.work("probe", "validate", "plan")
    (job,) = world.database.records("jobs")
    befalls(world, "jobs.change", "crash after", lambda: node.jobs.end(job, "cancelled", None))
    world.scheduler.now += 100.0
    task = (late := a_node(world)).execution.claims.best("step")  # and stands still
    assert task is not None
    later(world, 25.0)
    path = keys.attempt_path(task.generation, task.name, task.attempt)
    late.storage.put(f"{keys.asset_prefix(job.asset_id)}{path}/init.mp4", [b"x"], size_bytes=1, content_type="v/x")
    later(world, 400.0)
    assert (world.database.records("assets")[0].sweep_at, list(world.storage.list("assets/"))) == (None, [])


def test_who_dies_while_it_refuses_an_upload_that_others_began_to_refuse_leaves_no_bytes(world: World) -> None:
    announced = NewUpload(filename="f", size_bytes=8, sha256="0" * 64, auto_complete=False)
    upload = taken_in(a_node(world), b"film one", announced)
    befalls(world, "assets.change", "crash after", lambda: a_node(world).assembly.finish(upload))
    later(world, 130.0)  # its asset, which has failed, is swept
    befalls(world, "storage.delete", "crash before", lambda: a_node(world).assembly.finish(upload))
    later(world, 400.0)
    assert (world.database.records("assets")[0].sweep_at, world.storage.objects) == (None, {})


def test_what_was_evicted_in_the_trash_may_be_another_object_afterwards(world: World) -> None:
    node = a_node(world)
    node.assembly.finish(sent(node))
    (asset,) = world.database.records("assets")
    node.trash.delete(Principal("ann", "user"), asset.id)
    key, now = segment_id(asset.id, 1, "180p", 3), world.scheduler.now
    made = MadeSegment(
        id=key,
        asset_id=asset.id,
        generation=1,
        track="180p",
        number=3,
        path="g1/a.1/180p/3.m4s",
        content_type="video/mp4",
        size_bytes=1,
        duration_seconds=2.0,
        created_at=now,
        eager=False,
    )
    for ago, known in ((1.0, {key: "there"}), (world.longest_watch + 1.0, {})):
        world.observed.sent[key], world.observed.watched[asset.id] = "there", now - ago
        assert invariants_of_segments.the_first_stays(world, made, None) is None
        assert world.observed.sent == known, "of what was watched just now nothing may be evicted"


def test_all_work_ends_after_each(world: World) -> None:
    node = a_node(world)
    node.assembly.finish(sent(node))
    node.execution.work()
    assert {job.state for job in world.database.records("jobs")} <= set(WORK_ENDED)
    assert world.broken is None


SEEDS = {
    100600: "a picture for a generation that was followed and swept meanwhile was left for ever",
    309466: "a chunk was taken over from a request whose lease had just been renewed",
    102457: "the same picture, made by a process that stood still",
    101956: "the making of an asset was told that a quota took back meanwhile",
    207390: "an upload that stood still beyond its purge, and met a database that was away, kept its original for ever",
    201742: "a request that stood still inside its write wrote over a received chunk, and its parts were kept for ever",
    5014623: "a worker stood still in a task that was claimed after the job's end, and wrote after the sweep",
    683367: "a task of a deleted asset was claimed in the moment when its purge began",
    60015329: "a piece was asked for, its address ended, all was swept, and then the piece was begun and made",
}


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: SEEDS[seed].replace(" ", "-"))
def test_every_invariant_holds_in_what_once_broke(seed: int) -> None:
    assert run(str(seed)).broken is None
