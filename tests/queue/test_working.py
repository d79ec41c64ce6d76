"""A worker process of `mediaflow worker`: it drains when it is told, and stops when it is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mediaflow.domain.records import Task
from mediaflow.embedded.redis_server import configure_redis
from tests.cli.conftest import eventually
from tests.integration.service import clean_environ
from tests.services.records import a_job, a_task, an_asset
from tests.services.world import World, make_world

PROGRAM = """
import sys, time
from functools import partial
from mediaflow.queue.working import work_until_told
from mediaflow.worker import broker
from mediaflow.queue.middleware import WorkerLife
life = next(each for each in broker.middleware if isinstance(each, WorkerLife))

def hold(task, lease):
    for _ in range(int(task.params["seconds"] * 20)):
        time.sleep(0.05)
        if lease.reason() is not None:
            from mediaflow.domain.errors import LeaseLost
            raise LeaseLost("stopped")
    return {}

life.runtime.execution.handlers["step"] = hold
sys.exit(work_until_told(lambda: broker, float(sys.argv[1])))
"""


@contextmanager
def worker(world: World, directory: Path, drain_seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    with ExitStack() as held:
        private = configure_redis(directory, held)
        server = held.enter_context(subprocess.Popen(private.program, cwd=directory, stdout=subprocess.DEVNULL))
        environ = clean_environ(
            MEDIAFLOW_DATA_DIR=world.runtime.settings.data_dir,
            MEDIAFLOW_REDIS_URL=private.url,
            MEDIAFLOW_WORKER_LOAD="1",
            MEDIAFLOW_LOG_LEVEL="error",
        )
        command = [sys.executable, "-c", PROGRAM, str(drain_seconds)]
        process = held.enter_context(subprocess.Popen(command, env=environ))
        try:
            yield process
        finally:
            process.kill()
            server.terminate()


def waiting(world: World, name: str, seconds: float) -> Task:
    now = world.runtime.database.now()
    job = a_job(asset := an_asset(state="processing"), state="running")
    assert world.runtime.database.jobs.insert(job)
    assert world.runtime.database.assets.insert(replace(asset, job_id=job.id, next_generation=job.generation))
    plan = a_task(job, "plan", state="done", stage="plan", ready=True)
    assert world.runtime.database.tasks.insert(plan)
    usual = {"state": "pending", "ready": True, "stage": "step", "load_units": 1, "lane": "short"}
    task = a_task(job, name, **usual, created_at=now, updated_at=now - 9, params={"seconds": seconds})
    assert world.runtime.database.tasks.insert(task)
    return task


@pytest.mark.parametrize(
    ("drain_seconds", "number", "state"),
    [
        (60, signal.SIGUSR1, "done"),
        pytest.param(0.5, signal.SIGUSR1, "pending", marks=pytest.mark.slow),
        pytest.param(60, signal.SIGTERM, "pending", marks=pytest.mark.slow),
    ],
)
def test_what_runs_is_done_and_nothing_new_is_begun(
    tmp_path: Path, drain_seconds: float, number: signal.Signals, state: str
) -> None:
    world = make_world(tmp_path / "data")
    tasks = world.runtime.database.tasks
    runs = waiting(world, "runs", 2.0 if state == "done" else 600.0)

    def now(task: Task) -> Task:
        return tasks.get(task.id) or task

    (directory := tmp_path / "redis").mkdir()
    with worker(world, directory, drain_seconds) as process:
        assert eventually(lambda: now(runs).state == "running", 90), now(runs)
        waits = waiting(world, "waits", 0.0)
        os.kill(process.pid, number)
        assert process.wait(60) == 0
    assert (now(runs).state, now(runs).failures, now(waits).state) == (state, 0, "pending")
    world.runtime.close()
