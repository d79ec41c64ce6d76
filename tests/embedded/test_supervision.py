"""supervisord as we run it, with small programs in the place of web and workers."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mediaflow.embedded.relay import Relay
from mediaflow.embedded.supervision import Program, Supervisor
from tests.cli.conftest import eventually, is_gone

AWKWARD = "a b;c #d %(e)s 'f' \"g\""
SLEEPER = ("sleep", "60")


@contextmanager
def supervised(directory: Path, *programs: Program) -> Iterator[tuple[Supervisor, Relay]]:
    """The programs under a supervisor, with what they print."""
    directory.mkdir(parents=True, exist_ok=True)
    with Supervisor(directory, programs, os.environ) as supervisor:
        relay = Relay(supervisor.output)
        yield supervisor, relay
    relay.join()


def _pid(supervisor: Supervisor, name: str) -> int:
    return next((program.pid for program in supervisor.states() if program.name == name), 0)


@pytest.mark.parametrize("name", ["plain", AWKWARD, "long/" + 3 * ("x" * 60 + "/")], ids=["plain", "awkward", "long"])
def test_programs_run_whatever_the_directory_is_called(tmp_path: Path, name: str) -> None:
    directory = tmp_path / name
    with supervised(directory, Program("one", ("touch", "made here"), 10, directory)):
        assert eventually((directory / "made here").exists)


def test_a_killed_program_is_started_again(tmp_path: Path) -> None:
    with supervised(tmp_path, Program("one", SLEEPER, 10, tmp_path)) as (supervisor, _):
        assert eventually(lambda: _pid(supervisor, "one") > 0)
        first = _pid(supervisor, "one")

        os.kill(first, signal.SIGKILL)

        assert eventually(lambda: _pid(supervisor, "one") not in (0, first))


def test_leaving_the_block_ends_everybody_the_queue_last(tmp_path: Path) -> None:
    order = tmp_path / "order"

    def goodbye(name: str) -> tuple[str, ...]:
        return ("sh", "-c", f"trap 'echo {name} >> {order}; exit 0' TERM; while :; do sleep 0.05; done")

    programs = [Program("queue", goodbye("queue"), 10, tmp_path), Program("web", goodbye("web"), 20, tmp_path)]
    with supervised(tmp_path, *programs) as (supervisor, _):
        assert eventually(lambda: all(_pid(supervisor, name) for name in ("queue", "web")))
        assert eventually(lambda: {state.state for state in supervisor.states()} == {"RUNNING"})
        pids = [_pid(supervisor, "queue"), _pid(supervisor, "web")]

    assert all(map(is_gone, pids))
    assert order.read_text().split() == ["web", "queue"]


def test_a_program_that_ignores_its_end_is_killed_with_its_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediaflow.embedded.supervision.STOP_SECONDS", 1)
    stubborn = ("sh", "-c", "trap '' TERM; sleep 61 & while :; do sleep 0.1; done")
    with supervised(tmp_path, Program("one", stubborn, 10, tmp_path)) as (supervisor, _):
        assert eventually(lambda: {state.state for state in supervisor.states()} == {"RUNNING"})
        pid = _pid(supervisor, "one")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()

    assert all(is_gone(int(child)) for child in children)
    assert is_gone(pid)


def test_why_a_program_gives_up_is_remembered_and_other_lines_are_passed_on(tmp_path: Path) -> None:
    code = "import sys; print('starting'); sys.exit('mediaflow worker: the sun is down; wait')"
    passed: list[str] = []
    with supervised(tmp_path, Program("one", (sys.executable, "-c", code), 10, tmp_path)) as (supervisor, relay):
        relay.sink = passed.append

        assert eventually(lambda: relay.last_sentence == "the sun is down; wait")
        assert eventually(lambda: {state.state for state in supervisor.states()} & {"BACKOFF", "FATAL"} != set())
        relay.release()

    assert "starting\n" in passed
    assert passed.count("mediaflow worker: the sun is down; wait\n") >= 1


def test_no_secret_is_in_the_command_line_of_supervisord(tmp_path: Path) -> None:
    with supervised(tmp_path, Program("one", SLEEPER, 10, tmp_path)) as (supervisor, _):
        assert eventually(lambda: _pid(supervisor, "one") > 0)
        password = next(
            line.partition("=")[2]
            for line in (tmp_path / "supervisord.conf").read_text().splitlines()
            if line.startswith("password=")
        )
        running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]

    assert not any(password.encode() in command for command in running)
    assert (tmp_path / "supervisord.conf").stat().st_mode & 0o077 == 0
