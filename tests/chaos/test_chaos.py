"""A short campaign, and that the points of long ones are there. `make chaos` is the long one."""

from __future__ import annotations

import importlib
import inspect
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.campaign import Plan, make_short_clip, run_campaign
from tests.chaos.checks import check_all, used_up
from tests.chaos.customers import Customers
from tests.chaos.faultpoints import NAME, POINTS, TUNED, arm, fired, plugged_in
from tests.chaos.faults import WEIGHTS
from tests.chaos.processes import ancestors, kill, younger_than
from tests.chaos.shapes import ShapeName, running_shape
from tests.cli.conftest import eventually

KILLED_AT = ("task.claimed", "step.kept", "package.written", "publish.after_cas")
"""Not while an upload is assembled: its lease is 30 s."""


def test_every_point_is_a_method_that_is_as_it_was_written() -> None:
    for point in POINTS.values():
        owner, name = point.owner()
        method = owner.__dict__[name]
        assert inspect.isfunction(method), point
        assert not hasattr(method, "__wrapped__"), point  # only a process of a chaos run has it wrapped


def test_what_is_tuned_is_there() -> None:
    for place, value in TUNED.items():
        module, _, constant = place.partition(":")
        assert type(getattr(importlib.import_module(module), constant)) is type(value), place


def test_who_began_lately_and_who_began_whom_are_told_apart() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            found = ancestors([child.pid])
            assert {os.getpid(), os.getppid()} <= found
            assert child.pid not in found
            assert child.pid in younger_than(30)
            assert 1 not in younger_than(0.01)
        finally:
            child.kill()


def test_one_that_stood_still_may_come_to_the_point_again(tmp_path: Path) -> None:
    points = tmp_path / "points"
    words = f"import pathlib, {NAME}\nwhile True: {NAME}._reach('task.done', pathlib.Path({str(points)!r}))"
    with subprocess.Popen([sys.executable, "-c", words], env=os.environ | plugged_in(points)) as child:
        try:
            for visits in (1, 2):
                arm(points, "task.done", "stop")
                kill(child.pid, signal.SIGCONT)
                assert eventually(lambda: len(fired(points)) == visits, 20)  # noqa: B023 - it is called at once
            assert {(visit.name, visit.pid) for visit in fired(points)} == {("task.done", child.pid)}
        finally:
            child.kill()


@pytest.mark.parametrize(
    ("failures", "code", "expected"),
    [
        (5, "job.poison", True),
        (5, "job.step_broken", True),  # the last one was seen to die by a worker that lives
        (5, "job.killed", True),
        (4, "job.step_broken", False),
        (5, "media.damaged", False),
        (2, "media.damaged", False),
    ],
)
def test_a_good_file_may_fail_only_when_all_attempts_were_killed(failures: int, code: str, expected: bool) -> None:
    done = {"state": "done", "failures": 0, "error": None}
    failed = {"state": "failed", "failures": failures, "error": {"code": code}}
    assert used_up([done, failed, {**failed, "state": "cancelled"}]) is expected
    assert not used_up([done])


@pytest.mark.timeout(300)
def test_everything_that_was_acknowledged_survives_a_few_kills(tmp_path: Path) -> None:
    clip = make_short_clip(tmp_path / "clip.mp4")
    with running_shape("embedded", tmp_path / "service", workers=2) as shape:
        customers = Customers(shape.url, shape.token, clip, seed=1, chunk_bytes=16 * 1024, backlog=3, deletes=0.0)
        for name in KILLED_AT:
            arm(shape.points, name, "kill")
        customers.start(1)
        assert eventually(lambda: len(fired(shape.points)) == len(KILLED_AT), 60), fired(shape.points)
        assert eventually(lambda: "worker" in shape.roles(), 30), "whoever was killed is started again"
        assert kill(shape.roles()["worker"][0])
        customers.halt()
        assert eventually(lambda: not customers.waiting(), 90), customers.waiting()
        customers.end()
        verdict = check_all(shape, customers, tmp_path)
        assert verdict.clean, verdict
        assert {sent.state for sent in customers.sent.values()} == {"ready"}
        assert not customers.faults
    assert not shape.left_over()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("shape", ["embedded", "production"])
def test_a_round_of_all_faults_loses_nothing(shape: ShapeName, tmp_path: Path) -> None:
    account = run_campaign(Plan(shape, seed=1, seconds=60, kills=len(WEIGHTS)), tmp_path)
    assert account.clean, account
    assert account.acknowledged > 0
    assert account.kills > 0
