"""What a dead worker held is given back at once by whoever lives beside it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain.ids import new_id
from mediaflow.domain.records import Task
from mediaflow.domain.states import MAX_ATTEMPTS
from mediaflow.sandbox.identity import Identity
from mediaflow.sandbox.lastwords import note
from mediaflow.services.pipeline.claims import Claims
from mediaflow.services.pipeline.gate import LoadGate
from mediaflow.services.uploads.acceptance import NewUpload
from tests.services.pipeline import Pipeline
from tests.services.records import a_job, a_task, an_asset
from tests.services.world import World


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def who(process: subprocess.Popen[bytes]) -> Identity:
    found = Identity.of(process.pid)
    assert found is not None
    return found


def held(world: World, worker: str, place: str | None, **fields: Any) -> Task:
    now = world.runtime.database.now()
    usual = {"state": "running", "attempt": 3, "ready": True, "worker": worker, "place": place, "lease_until": now + 30}
    task = a_task(a_job(an_asset()), "video-0", **{"id": new_id(), **usual, **fields})
    assert world.runtime.database.tasks.insert(task)
    return task


def now_of(world: World, task: Task) -> Task:
    found = world.runtime.database.tasks.get(task.id)
    assert found is not None
    return found


def test_the_task_of_a_killed_worker_is_pending_at_once_and_of_a_stopped_one_is_not(
    world: World, worker: subprocess.Popen[bytes]
) -> None:
    task = held(world, str(who(worker)), who(worker).place)
    note(
        world.runtime.work.root, identity := who(worker), -11, 'Fatal Python error: X\n  File "/srv/a.py", line 3 in f'
    )
    worker.send_signal(signal.SIGSTOP)
    world.runtime.orphans.give_back()
    assert now_of(world, task) == task
    worker.kill()
    worker.wait()
    world.runtime.orphans.give_back()
    freed = now_of(world, task)
    assert (freed.state, freed.attempt, freed.failures, freed.lease_until) == ("pending", 3, 1, 0.0)
    assert freed.error == {
        "code": "job.worker_lost",
        "detail": f"The worker {identity.host}:{identity.pid} was killed by signal 11 (SIGSEGV),"
        " saying 'Fatal Python error: X' at a.py:3 in f (attempt 3).",
    }


def test_what_a_killed_worker_was_assembling_is_taken_on_at_once(world: World, worker: subprocess.Popen[bytes]) -> None:
    # given: an upload whose worker stands still, then is killed
    data, uploads = b"a film", world.runtime.database.uploads
    upload, _ = world.runtime.ingest.announce("ann", NewUpload(filename="f", size_bytes=len(data)))
    world.runtime.ingest.receive("ann", upload.id, 0, [data], content_length=None, digest=None)
    lease = {"lease_token": "x", "lease_until": world.runtime.database.now() + 30, "worker": str(who(worker))}
    assert uploads.change(upload.id, {"state": "assembling"}, lease) is not None
    worker.send_signal(signal.SIGSTOP)

    def looked_after() -> str | None:
        world.wakeups.uploads.clear()
        world.runtime.orphans.give_back()
        for upload_id in world.wakeups.uploads:
            world.runtime.assembly.finish(upload_id)
        found = uploads.get(upload.id)
        return None if found is None else found.state

    # when, then
    assert looked_after() == "assembling"
    worker.kill()
    worker.wait()
    assert looked_after() == "queued"
    assert uploads.peek(upload.id, ("worker",)) == {"worker": str(Identity.of(os.getpid()))}


def test_of_other_places_and_older_versions_nothing_is_judged(world: World, worker: subprocess.Popen[bytes]) -> None:
    gone, own = who(worker), world.runtime.orphans.own
    assert own is not None
    worker.kill()
    worker.wait()
    elsewhere = replace(gone, place="another-boot.1")
    tasks = [
        held(world, str(elsewhere), elsewhere.place),
        held(world, str(elsewhere), own.place),
        held(world, f"{gone.host}:{gone.pid}", own.place),  # an older version left the field as it was
        held(world, str(own), own.place),
        held(world, str(gone), own.place, state="done"),
    ]
    world.runtime.orphans.give_back()
    assert [now_of(world, task) for task in tasks] == tasks


def test_a_claim_tells_who_and_where(world: World) -> None:
    asset_id = Pipeline(world).stored()
    task = world.runtime.execution.claims.best()
    assert task is not None
    assert task.asset_id == asset_id
    assert task.worker == str(Identity.of(os.getpid()))
    assert (task.worker or "").endswith(f"@{task.place}")


def test_poison_tells_how_the_last_worker_ended(world: World, worker: subprocess.Popen[bytes], tmp_path: Path) -> None:
    pipeline = Pipeline(world)
    asset_id, gone = pipeline.stored(), who(worker)
    note(world.runtime.work.root, gone, -9, "")
    worker.kill()
    worker.wait()
    for _ in range(MAX_ATTEMPTS):
        assert Claims(world.runtime.database, LoadGate(9), str(gone), gone.place).best() is not None
        world.runtime.orphans.give_back()
    pipeline.work()
    error = pipeline.asset(asset_id).error
    assert error is not None
    assert error["code"] == "job.poison"
    assert "SIGKILL" in error["detail"]
    assert str(tmp_path) not in error["detail"]


def test_idle_looking_is_one_query_by_an_index(world: World, tmp_path: Path) -> None:
    world.runtime.database.ping()
    with closing(sqlite3.connect(next(tmp_path.rglob("mediaflow.db")))) as connection:
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT DISTINCT worker FROM tasks WHERE state = 'running' AND place = 'x'"
        ).fetchall()
        uploads = "EXPLAIN QUERY PLAN SELECT DISTINCT worker FROM uploads WHERE state = 'assembling'"
        plan += connection.execute(uploads).fetchall()
    assert "INDEX tasks_state_place (state=? AND place=?)" in str(plan)
    assert "INDEX uploads_state_" in str(plan)
