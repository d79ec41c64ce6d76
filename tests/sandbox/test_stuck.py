"""A sandbox whose maker died before it was set up is found and ended, and nothing else is."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from mediaflow.sandbox.stuck import end_stuck_sandboxes
from mediaflow.sandbox.users import FIRST_USER, borrowed_user

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root's sandboxes have users to give back")
SANDBOX = ["bwrap", "--unshare-pid", "--dev-bind", "/", "/"]


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def first_child(pid: int) -> int:
    deadline = time.monotonic() + 10
    while not children(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return children(pid)[0]


def test_a_sandbox_that_waits_for_a_dead_process_is_ended() -> None:
    with ExitStack() as stack:
        # given: one whose maker died before it was set up, one that is being set up, and one that works
        lock = stack.enter_context(borrowed_user(FIRST_USER)).lock
        blocked, told = os.pipe()
        stack.callback(os.close, told)
        stack.callback(os.close, blocked)
        waiting = [*SANDBOX, "--block-fd", str(blocked), "sleep", "60"]
        dead, begun = (subprocess.Popen(waiting, pass_fds=[blocked, lock]) for _ in range(2))
        works = subprocess.Popen([*SANDBOX, "sleep", "60"], pass_fds=[lock])
        for program in (begun, works):
            stack.callback(program.wait)
            stack.callback(program.kill)
        stuck, others = first_child(dead.pid), [first_child(program.pid) for program in (begun, works)]
        for other in others:
            stack.callback(os.kill, other, 9)
        assert children(stuck) == []
        dead.kill()
        dead.wait()
        # then: not at once, since it may be being set up; then it alone
        assert stuck not in end_stuck_sandboxes()
        assert stuck in end_stuck_sandboxes(old_seconds=0.0)
        deadline = time.monotonic() + 10
        while Path(f"/proc/{stuck}").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert all(Path(f"/proc/{other}").exists() for other in others)
