"""Hints through a real Redis-protocol server, to actors of a real Dramatiq worker."""

from __future__ import annotations

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import dramatiq
import pytest
from dramatiq.brokers.redis import RedisBroker

from mediaflow import registry
from mediaflow.domain.errors import ConfigurationError, Unavailable
from mediaflow.domain.records import Asset, Task
from mediaflow.embedded.redis_server import configure_redis
from mediaflow.persistence.redis.alive import AliveWorkers
from mediaflow.persistence.redis.connection import open_redis
from mediaflow.queue.actors import declare_actors
from mediaflow.queue.broker import QUEUE, make_broker
from mediaflow.queue.middleware import WorkerLife
from mediaflow.queue.wakeups import DramatiqWakeups
from mediaflow.runtime import Runtime, build_runtime, make_metrics
from mediaflow.services.pipeline.lease import Lease
from mediaflow.services.uploads.acceptance import NewUpload
from tests.services.records import a_job, a_task, an_asset


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    with ExitStack() as held:
        private = configure_redis(tmp_path, held)
        server = held.enter_context(subprocess.Popen(private.program, cwd=tmp_path, stdout=subprocess.DEVNULL))
        yield private.url
        server.terminate()


def until(done: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def connected(broker: RedisBroker) -> bool:
    try:
        broker.client.ping()
    except Exception:
        return False
    return True


@pytest.fixture
def hands(
    tmp_path: Path, redis_url: str, request: pytest.FixtureRequest
) -> Iterator[tuple[Runtime, RedisBroker, WorkerLife]]:
    settings, plugins = registry.load(
        {
            "MEDIAFLOW_DATA_DIR": str(tmp_path / "data"),
            "MEDIAFLOW_MIN_FREE_BYTES": "0",
            "MEDIAFLOW_REDIS_URL": redis_url,
        }
        | getattr(request, "param", {})
    )
    life = WorkerLife()
    broker = make_broker(redis_url, life)
    until(lambda: connected(broker))
    metrics = make_metrics(plugins)
    life.runtime = build_runtime(settings, plugins, metrics=metrics, wakeups=DramatiqWakeups(broker, metrics))
    declare_actors(broker, life.runtime)
    yield life.runtime, broker, life
    life.runtime.close()
    broker.close()
    broker.client.close()


def uploaded(runtime: Runtime, data: bytes = b"this is no video at all") -> str:
    upload, _ = runtime.ingest.announce("ann", NewUpload(filename="text.mp4", size_bytes=len(data)))
    runtime.ingest.receive("ann", upload.id, 0, [data], content_length=len(data), digest=None)
    return upload.asset_id


def asset_of(runtime: Runtime, asset_id: str) -> Asset:
    asset = runtime.database.assets.get(asset_id)
    assert asset is not None
    return asset


def test_an_upload_passes_from_actor_to_actor_until_it_is_settled(
    hands: tuple[Runtime, RedisBroker, WorkerLife],
) -> None:
    runtime, broker, _ = hands
    worker = dramatiq.Worker(broker, worker_threads=2)
    worker.start()
    asset_id = uploaded(runtime)
    until(lambda: asset_of(runtime, asset_id).state == "rejected")
    assert asset_of(runtime, asset_id).error is not None
    worker.stop()


def test_a_worker_without_work_is_known_as_long_as_it_is_there(hands: tuple[Runtime, RedisBroker, WorkerLife]) -> None:
    runtime, broker, _ = hands
    assert runtime.alive.names() == set()
    worker = dramatiq.Worker(broker, worker_threads=2)
    worker.start()
    until(lambda: runtime.alive.names() == {runtime.execution.claims.worker})
    worker.stop()
    assert AliveWorkers(open_redis(runtime.settings.redis_url)).names() == set()


def test_hints_that_were_lost_are_found_again(hands: tuple[Runtime, RedisBroker, WorkerLife]) -> None:
    runtime, broker, _ = hands
    asset_id = uploaded(runtime)
    broker.client.flushall()  # whoever deletes all of Redis loses nothing
    worker = dramatiq.Worker(broker, worker_threads=2)
    worker.start()
    until(lambda: asset_of(runtime, asset_id).state == "rejected")
    worker.stop()


def test_duplicate_and_forged_hints_change_nothing(hands: tuple[Runtime, RedisBroker, WorkerLife]) -> None:
    runtime, broker, _ = hands
    worker = dramatiq.Worker(broker, worker_threads=2)
    worker.start()
    asset_id = uploaded(runtime)
    for actor in ("probe", "publish", "assemble"):
        for subject in ("0" * 32, "../../etc/passwd", asset_id):
            broker.enqueue(dramatiq.Message(QUEUE, actor, (subject,), {}, {}))
    until(lambda: asset_of(runtime, asset_id).state == "rejected")
    broker.join(QUEUE, timeout=10_000)
    assert runtime.database.jobs.count({}) == 1
    worker.stop()


LOADS = (
    # MEDIAFLOW_WORKER_LOAD and _THREADS, then how many short steps and bookkeeping tasks run at the same time
    ({"MEDIAFLOW_WORKER_LOAD": "3"}, 3, 3),
    ({"MEDIAFLOW_WORKER_LOAD": "1"}, 1, 3),
    ({"MEDIAFLOW_WORKER_LOAD": "3", "MEDIAFLOW_WORKER_THREADS": "2"}, 2, 2),
)


@pytest.mark.parametrize("hands", [load[0] for load in LOADS], indirect=True, ids=str)
def test_a_worker_holds_as_many_tasks_at_once_as_its_settings_say(
    hands: tuple[Runtime, RedisBroker, WorkerLife], request: pytest.FixtureRequest
) -> None:
    runtime, broker, _ = hands
    settings = request.node.callspec.params["hands"]
    steps, bookkeeping = next(load[1:] for load in LOADS if load[0] == settings)
    seen = Crowd()
    runtime.execution = replace(runtime.execution, handlers={"step": seen.hold, "package": seen.hold})
    # a job that waits for its asset, so that nobody plans it
    job = a_job(asset := an_asset())
    assert runtime.database.assets.insert(asset)
    assert runtime.database.jobs.insert(job)
    for number in range(8):
        usual = {"ready": True, "created_at": runtime.database.now()}
        step = a_task(job, f"step-{number}", load_units=1, **usual)
        runtime.database.tasks.insert(step)
        package = a_task(job, f"package-{number}", stage="package", lane="bookkeeping", load_units=0, **usual)
        runtime.database.tasks.insert(package)
    worker = dramatiq.Worker(broker, worker_threads=1)  # what it is told gives way to the settings
    worker.start()
    for task in runtime.database.tasks.find({}):
        runtime.wakeups.wake(task.stage, task.id)
    until(lambda: runtime.database.tasks.count({"state": "done"}) == 16)
    worker.stop()
    assert seen.most["step"] == steps
    assert bookkeeping <= seen.most["package"]
    if "MEDIAFLOW_WORKER_THREADS" in settings:
        assert seen.most["all"] == int(settings["MEDIAFLOW_WORKER_THREADS"])


class Crowd:
    """Counts how many tasks of a stage are in it at the same time."""

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self._lock = threading.Lock()

    def hold(self, task: Task, _lease: Lease) -> dict[str, str]:
        for name, change in ((task.stage, 1), ("all", 1)):
            self._count(name, change)
        time.sleep(0.4)
        for name, change in ((task.stage, -1), ("all", -1)):
            self._count(name, change)
        return {}

    def _count(self, name: str, change: int) -> None:
        with self._lock:
            self.now[name] += change
            self.most[name] = max(self.most[name], self.now[name])


def test_a_hint_that_can_not_be_sent_is_counted_and_harms_nothing(tmp_path: Path) -> None:
    settings, plugins = registry.load({"MEDIAFLOW_DATA_DIR": str(tmp_path), "MEDIAFLOW_MIN_FREE_BYTES": "0"})
    metrics = make_metrics(plugins)
    broker = make_broker("redis://127.0.0.1:1/0")
    wakeups = DramatiqWakeups(broker, metrics)
    runtime = build_runtime(settings, plugins, metrics=metrics, wakeups=wakeups)
    asset_id = uploaded(runtime)
    with pytest.raises(Unavailable):
        wakeups.ping()
    upload = runtime.ingest.status("ann", asset_of(runtime, asset_id).upload_id).upload
    assert upload.state == "assembling"
    wakeups.close()
    runtime.close()


@pytest.mark.parametrize("url", ["", "http://localhost", "localhost:6379"])
def test_a_redis_url_that_is_none_stops_the_start_with_a_sentence(url: str) -> None:
    with pytest.raises(ConfigurationError, match="MEDIAFLOW_REDIS_URL"):
        make_broker(url)
