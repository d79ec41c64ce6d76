"""The health report of admins: true figures, the worst first, never a secret, never a hang."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from mediaflow.app import create_app
from mediaflow.domain.errors import Unavailable
from mediaflow.persistence.redis.alive import ALIVE_SECONDS, KEY
from mediaflow.services.upkeep.health import memory, worst
from tests.api.site import Api, Site, is_problem
from tests.persistence.redis_server import running_redis
from tests.services.records import a_job, a_task, an_asset
from tests.services.world import make_world


def report(admin: Api) -> dict[str, Any]:
    answer = admin.get("/health")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.get_json()
    return document


def dependency(document: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [entry for entry in document["dependencies"] if entry["name"] == name]
    return dict(found)


def checks(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = site.client.application.extensions["mediaflow"].readiness.checks
    return found


def test_a_service_that_is_well_says_so_with_figures(site: Site, admin: Api) -> None:
    document = report(admin)
    assert document["state"] in ("ok", "warning", "critical")  # the machine's own disk may be nearly full
    assert {entry["name"] for entry in document["dependencies"]} == {"database", "storage"}
    for entry in document["dependencies"]:
        assert (entry["state"], entry["detail"]) == ("ok", "")
        assert 0 < entry["latency_ms"] < 2000
    usage = shutil.disk_usage(site.world.runtime.settings.data_path)
    assert [disk["kind"] for disk in document["disks"]] == ["data", "objects"]
    for disk in document["disks"]:
        assert disk["total_bytes"] == usage.total
        assert abs(disk["free_bytes"] - usage.free) < 10**9
    assert 10**7 < document["memory"]["process_bytes"] < document["memory"]["total_bytes"]
    assert 0 < document["memory"]["available_bytes"] < document["memory"]["total_bytes"]
    assert 0 <= document["uptime_seconds"] < 600
    assert document["work"] == {
        "workers": 0,
        "running_tasks": 0,
        "pending_tasks": 0,
        "oldest_pending_seconds": None,
        "paused": False,
    }


def test_nobody_else_sees_it(ann: Api, stranger: Api) -> None:
    is_problem(ann.get("/health"), 403, "auth.role")
    is_problem(stranger.get("/health"), 401)


@pytest.mark.parametrize(
    ("warning", "critical", "state"),
    [("0", "0", "ok"), (str(10**17), "0", "warning"), (str(10**17), str(10**17), "critical")],
)
def test_disks_are_judged_by_the_settings(tmp_path: Path, warning: str, critical: str, state: str) -> None:
    world = make_world(tmp_path / "data", disk_warning_bytes=warning, disk_critical_bytes=critical)
    site = Site(world, create_app(world.runtime.settings, world.runtime).test_client(use_cookies=False))
    document = report(site.as_user("root", "admin"))
    assert [disk["state"] for disk in document["disks"]] == [state, state]
    assert document["state"] == state
    world.runtime.close()


def test_work_that_is_done_and_work_that_waits_is_counted(site: Site, admin: Api) -> None:
    database = site.world.runtime.database
    now, job = database.now(), a_job(an_asset())
    for task in (
        a_task(job, "a", state="running", worker="host:1", lease_until=now + 30),
        a_task(job, "b", state="running", worker="host:1", lease_until=now + 30),
        a_task(job, "c", state="running", worker="host:2", lease_until=now - 30),
        a_task(job, "d", ready=True, created_at=now - 100),
        a_task(job, "e", ready=True, created_at=now - 10),
        a_task(job, "f", ready=False, created_at=now - 1000),
        a_task(job, "g", state="done", created_at=now - 1000),
    ):
        database.tasks.insert(task)
    work = report(admin)["work"]
    assert (work["workers"], work["running_tasks"], work["pending_tasks"]) == (1, 2, 2)
    assert 100 <= work["oldest_pending_seconds"] < 160


def test_workers_without_a_task_are_counted_while_they_say_that_they_are_there(tmp_path: Path) -> None:
    """Seen: only workers that held a task were counted."""
    with running_redis(tmp_path) as server:
        world = make_world(tmp_path / "data", redis_url=server.url)
        site = Site(world, create_app(world.runtime.settings, world.runtime).test_client(use_cookies=False))
        admin, database = site.as_user("root", "admin"), world.runtime.database
        now = database.now()
        for name, lease in (("host:1", 30), ("host:3", 30), ("host:4", -30)):
            running = a_task(a_job(an_asset()), name, state="running", worker=name, lease_until=now + lease)
            database.tasks.insert(running)
        for name in ("host:1", "host:2"):
            world.runtime.alive.note(name)
        assert report(admin)["work"]["workers"] == 3
        # who says nothing is forgotten, whatever the clocks of hosts say; so is who says good-bye
        with Redis.from_url(server.url) as raw:
            raw.zadd(KEY, {"host:5": raw.time()[0] - ALIVE_SECONDS - 1})
        assert report(admin)["work"]["workers"] == 3
        world.runtime.alive.forget("host:2")
        assert report(admin)["work"]["workers"] == 2
        # without Redis the documents tell
        server.kill()
        assert report(admin)["work"]["workers"] == 2
        world.runtime.close()


def test_a_dependency_that_is_down_is_told_without_its_secrets(site: Site, admin: Api) -> None:
    def down() -> None:
        raise Unavailable("The storage does not answer.")

    def leak() -> None:
        raise OSError("s3://user:hunter2@host refused")

    checks(site).update(storage=down, queue=leak)
    document = report(admin)
    assert document["state"] == "critical"
    assert dependency(document, "storage")["detail"] == "The storage does not answer."
    assert dependency(document, "queue")["state"] == "critical"
    assert "hunter2" not in str(document)
    assert document["work"] is not None


@pytest.fixture
def released() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_a_database_that_hangs_does_not_hang_the_report(site: Site, admin: Api, released: threading.Event) -> None:
    def hang() -> None:
        released.wait()

    checks(site)["database"] = hang
    began = time.monotonic()
    document = report(admin)
    assert time.monotonic() - began < 5
    assert dependency(document, "database")["detail"] == "It did not answer within 2 s."
    assert (document["state"], document["work"]) == ("critical", None)


def test_strangers_learn_one_word(site: Site) -> None:
    assert site.client.get("/livez").get_json() == {"status": "alive"}
    assert site.client.get("/readyz").get_json() == {"status": "ready"}


def test_a_system_without_a_process_file_system_tells_nothing(tmp_path: Path) -> None:
    told = memory(tmp_path)
    assert (told.process_bytes, told.available_bytes, told.total_bytes) == (None, None, None)


def test_the_worst_state_wins() -> None:
    assert worst([]) == "ok"
    assert worst(["ok", "critical", "warning"]) == "critical"
