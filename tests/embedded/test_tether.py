"""Nobody outlives the one that started it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys

from mediaflow.embedded.tether import tethered
from tests.cli.conftest import eventually, is_gone


def test_a_tethered_program_dies_with_a_parent_that_is_killed() -> None:
    # given a parent that starts a tethered program, tells its pid, and can do nothing more
    code = (
        "import os, subprocess, time; from mediaflow.embedded.tether import tethered;"
        "child = subprocess.Popen(tethered(['sleep', '60'], parent=os.getpid()));"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not is_gone(child)

        # when the parent is killed
        parent.send_signal(signal.SIGKILL)

        # then so is the child
        assert eventually(lambda: is_gone(child))


def test_so_do_those_that_a_tethered_program_starts_tethered() -> None:
    inner = shlex.join(tethered(["sleep", "60"]))
    code = f"{inner} & echo $!; wait"
    with subprocess.Popen(
        tethered(["sh", "-c", code], parent=os.getpid()), stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())

        parent.send_signal(signal.SIGKILL)

        assert eventually(lambda: is_gone(child))


def test_a_program_whose_parent_died_before_it_was_tied_ends_at_once() -> None:
    nobody = 2**22  # above the largest pid

    done = subprocess.run(tethered(["sleep", "60"], parent=nobody), check=False, timeout=10)

    assert done.returncode == -signal.SIGKILL


def test_a_tethered_program_is_the_program_itself() -> None:
    done = subprocess.run(tethered(["sh", "-c", "exit 7"], parent=os.getpid()), check=False)

    assert done.returncode == 7
