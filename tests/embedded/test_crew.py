"""Workers under one parent: started again when they die, gone when it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import eventually, is_gone

PRELUDE = """
import os, signal, sys, time
from pathlib import Path
from mediaflow.embedded.crew import Crew

def work():
    signal.signal(signal.SIGUSR1, lambda *_: os._exit(0))
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    os.write(1, f"{os.getpid()}\\n".encode())
    time.sleep(60)
"""


@contextmanager
def crew(notes: Path, code: str = "", count: int = 2) -> Iterator[subprocess.Popen[str]]:
    program = f"{PRELUDE}\n{code}\nsys.exit(Crew({count}, work, Path({str(notes)!r})).run())"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def told(process: subprocess.Popen[str]) -> int:
    """The number of the next worker that began."""
    assert process.stdout is not None
    return next(int(line) for line in iter(process.stdout.readline, "") if line.strip().isdigit())  # not its log


def test_a_killed_worker_is_started_again_and_its_end_is_noted(tmp_path: Path) -> None:
    with crew(tmp_path) as process:
        first, second = told(process), told(process)
        os.kill(first, signal.SIGKILL)
        third = told(process)
        assert third not in (first, second)
        assert [json.loads(file.read_text())["code"] for file in tmp_path.glob(f"ended-{first}-*")] == [-9]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert all(map(is_gone, (second, third)))
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP])
def test_signals_end_all_in_order(tmp_path: Path, number: signal.Signals) -> None:
    with crew(tmp_path, count=1) as process:
        worker = told(process)
        process.send_signal(number)
        assert process.wait(10) == 0
        assert is_gone(worker)


def test_workers_die_with_their_parent(tmp_path: Path) -> None:
    with crew(tmp_path) as process:
        workers = told(process), told(process)
        process.kill()
        assert eventually(lambda: all(map(is_gone, workers)))


def test_a_worker_that_can_not_start_ends_the_crew(tmp_path: Path) -> None:
    with crew(tmp_path, "def work(): sys.exit('mediaflow worker: no such thing')") as process:
        assert process.wait(10) == 1


def test_what_a_worker_says_when_it_dies_is_noted(tmp_path: Path) -> None:
    code = (
        "def work():\n import faulthandler\n print(os.getpid(), flush=True)\n time.sleep(0.1)\n faulthandler._sigsegv()"
    )
    with crew(tmp_path, code, count=1) as process:
        first = told(process)
        told(process)
        (file,) = tmp_path.glob(f"ended-{first}-*")
        noted = json.loads(file.read_text())
        assert (noted["code"], noted["said"].splitlines()[0]) == (-11, "Fatal Python error: Segmentation fault")
