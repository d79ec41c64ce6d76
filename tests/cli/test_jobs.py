"""`mediaflow jobs` against the real API, over HTTP."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from werkzeug.serving import make_server

from mediaflow.app import create_app
from mediaflow.client.gantt import COLUMNS, drawn
from tests.cli.conftest import Done, Run
from tests.services.pipeline import Pipeline
from tests.services.test_reprocess import rejecting
from tests.services.world import make_world


@dataclass
class Told:
    """The command line as ann has it, and as an admin has it."""

    pipeline: Pipeline
    run: Callable[..., Done]
    admin: Callable[..., Done]


@pytest.fixture
def told(tmp_path: Path, run: Run, caplog: pytest.LogCaptureFixture) -> Iterator[Told]:
    caplog.set_level(logging.ERROR, "werkzeug")
    world = make_world(tmp_path / "data")
    server = make_server("127.0.0.1", 0, create_app(world.runtime.settings, world.runtime), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def as_user(token: str) -> Callable[..., Done]:
        environ = {"MEDIAFLOW_URL": f"http://127.0.0.1:{server.port}", "MEDIAFLOW_TOKEN": token}
        return lambda *words: run("jobs", *words, **environ)

    mint = world.runtime.tokens.mint
    with capture_logs():  # what the service says is not what the command says
        yield Told(Pipeline(world), as_user(mint("ann", "user", 600)), as_user(mint("root", "admin", 600)))
    server.shutdown()
    thread.join()
    server.server_close()
    world.runtime.close()


def test_jobs_are_listed_shown_cancelled_and_repeated(told: Told) -> None:
    asset_id = told.pipeline.stored()
    job = told.pipeline.job(asset_id)
    told.pipeline.work("probe")
    listed = told.run("list", "--state", "pending")
    assert (listed.code, job.id in listed.out, asset_id in listed.out) == (0, True, True)
    assert json.loads(told.run("list", "--asset", asset_id, "--json").out)["total"] == 1
    shown = told.run("show", job.id)
    assert [line.split()[0] for line in shown.out.splitlines()[3:]] == ["task", "probe", "validate", "plan"]
    assert all(len(line) <= COLUMNS for line in shown.out.splitlines()[3:])
    assert "cancelled" in told.run("cancel", job.id).out
    again = told.run("retry", job.id)
    assert (again.code, told.pipeline.job(asset_id).id) == (0, again.out.strip())
    told.pipeline.work()
    followed = told.run("follow", again.out.strip())
    assert (followed.code, followed.out.splitlines()[-1]) == (0, "done")
    assert "video-0: done" in followed.out


def test_all_that_failed_with_a_code_is_repeated(told: Told) -> None:
    assets = [told.pipeline.stored() for _ in range(2)]
    told.pipeline.work(plan=rejecting)
    code = (told.pipeline.job(assets[0]).error or {})["code"]
    assert told.run("retry", "--failed-with", "job.other").out == ""
    done = told.run("retry", "--failed-with", code)
    assert (done.code, len(done.out.splitlines())) == (0, 2)
    assert [told.pipeline.job(each).generation for each in assets] == [2, 2]
    told.pipeline.work(plan=rejecting)
    failed = told.run("follow", told.pipeline.job(assets[0]).id)
    assert failed.code == 1
    assert failed.out.splitlines()[-1].startswith("failed (")


def test_the_queue_is_paused_and_resumed_by_admins(told: Told) -> None:
    told.pipeline.stored()
    refused = told.run("pause")
    assert (refused.code, refused.err.count("\n")) == (1, 1), refused.err
    assert told.admin("pause", "--reason", "a new disk").out == "paused; 0 tasks run on, 1 wait\n"
    assert "the queue is paused, nothing new is begun: a new disk" in told.run("list").err
    assert told.admin("resume").out == "resumed; 1 tasks wait\n"
    assert told.run("list").err == ""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("show", "12"), 2, "'12' is no job's id"),
        (("show", "0" * 32), 1, "There is no such job."),
        (("retry",), 2, "name a JOB"),
        (("retry", "0" * 32, "--failed-with", "x.y"), 2, "name a JOB"),
        (("retry", "--failed-with", "x.y", "--owner", "bob"), 1, "Only admins"),
        (("cancel", "0" * 32), 1, "There is no such job."),
    ],
)
def test_what_is_wrong_is_said(told: Told, words: tuple[str, ...], code: int, said: str) -> None:
    done = told.run(*words)
    assert (done.code, done.out) == (code, "")
    assert said in done.err


def test_bars_are_where_their_times_are() -> None:
    def at(seconds: float) -> str:
        return f"2026-01-01T00:00:{seconds:06.3f}Z"

    def task(name: str, state: str, *times: float | None, **more: Any) -> dict[str, Any]:
        made, started, finished = (None if t is None else at(t) for t in times)
        usual = {"attempts": 1, "error": None, "progress": 0.0}
        return {
            **usual,
            "name": name,
            "state": state,
            "created_at": made,
            "started_at": started,
            "finished_at": finished,
            **more,
        }

    fault = {"code": "job.poison", "detail": "so " * 60}
    tasks = [
        task("probe", "done", 0, 0, 9),
        task("a-name-that-is-longer-than-its-column", "failed", 0, 18, 36, attempts=5, error=fault),
        task("publish", "cancelled", 9, None, 36),
    ]
    lines = drawn({"created_at": at(0), "state": "failed", "tasks": tasks}, now=1e12)
    assert lines[1] == f"{'probe':20} {'█' * 8:34} {'9.0 s':>10} done"
    assert lines[2] == f"a-name-that-is-long… {'░' * 17}{'▒' * 17} {'18.0 s':>10} failed x5"
    assert lines[3].startswith("    job.poison: so so")
    assert lines[-1] == f"{'publish':20} {'':34} {'':10} cancelled"
    assert max(map(len, lines)) <= COLUMNS
    assert drawn({"created_at": at(0), "state": "pending", "tasks": []}, now=1.77e9) != []

    # parts that wait are one line; those that ran have one each
    ran = task("video_0", "done", 0, 0, 9)
    parts = [ran, *(task(f"video_{n}", "pending", 9, None, None, attempts=0) for n in range(30, 330, 30))]
    lines = drawn({"created_at": at(0), "state": "running", "tasks": parts}, now=1.77e9)
    assert [line[:20].strip() for line in lines[1:]] == ["video_0", "video: 10 parts"]


def test_anns_are_not_bobs(told: Told) -> None:
    job = told.pipeline.job(told.pipeline.stored(owner="bob"))
    assert told.run("show", job.id).code == 1
    assert told.admin("show", job.id).code == 0
