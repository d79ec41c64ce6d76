"""Ways out of the sandbox: none works in it, each works outside, and a sandbox that has one is told at the start."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mediaflow.sandbox import escapes
from mediaflow.sandbox.confinement import DEFAULT, PROCESSES
from mediaflow.sandbox.process import Limits
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.sandbox.selftest import outside, sandbox_fails
from mediaflow.sandbox.users import borrowed_user
from tests.sandbox.ordinary import ordinary_user

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do all of this outside of a sandbox")


def test_nothing_gets_out() -> None:
    assert sandbox_fails(DEFAULT) is None


def test_nothing_gets_out_where_an_ordinary_user_starts_it() -> None:
    code = "from mediaflow.sandbox.selftest import *; from mediaflow.sandbox.confinement import *"
    with ordinary_user() as (python, _):
        command = [*python, "-c", f"{code}; print(sandbox_fails(DEFAULT))"]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "None\n"


@as_root
def test_each_escape_works_where_there_is_no_sandbox() -> None:
    # mounts in a namespace of its own, so that the attempt harms nobody
    command = ["unshare", "--mount", "--propagation", "private", sys.executable, escapes.__file__]
    with outside() as facts:
        done = subprocess.run([*command, json.dumps(facts)], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert [name for name in escapes.ESCAPES if not any(told.startswith(f"{name} ") for told in found)] == []


@pytest.mark.parametrize(
    ("dropped", "words"),
    [
        ("--unshare-net", "reach a service of this machine"),
        ("--unshare-pid", "see a process outside"),
        ("--seccomp", "have no filter of system calls"),
    ],
)
def test_a_sandbox_with_a_hole_stops_the_start_with_a_sentence(
    dropped: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a bubblewrap that leaves something out
    values = {"--seccomp"}
    real = shutil.which("bwrap")
    (tmp_path / "bwrap").write_text(
        f"#!{sys.executable} -IS\nimport os, sys\n"
        f"given = sys.argv[1:]\nat = given.index({dropped!r}) if {dropped!r} in given else None\n"
        f"if at is not None: del given[at:at + {2 if dropped in values else 1}]\n"
        f"os.execv({real!r}, ['bwrap', *given])\n"
    )
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    reason = sandbox_fails(DEFAULT) or ""
    assert words in reason
    assert "MEDIAFLOW_SANDBOX=off" in reason


def test_the_way_out_is_named_where_there_is_no_bubblewrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "bwrap is not installed" in (reason := sandbox_fails(DEFAULT) or "")
    assert "MEDIAFLOW_SANDBOX=off" in reason


@as_root
def test_users_that_have_names_and_modules_that_others_cannot_read_stop_the_start(tmp_path: Path) -> None:
    taken = replace(DEFAULT, first_user=65500)
    assert "and nobody, nogroup" in (sandbox_fails(taken) or "")
    tmp_path.chmod(0o700)
    assert f"chmod -R o+rX {tmp_path}" in (sandbox_fails(DEFAULT, [tmp_path]) or "")


@as_root
def test_a_user_is_nobody_elses_until_the_last_process_of_its_sandbox_has_ended() -> None:
    with borrowed_user(DEFAULT.first_user) as first, borrowed_user(DEFAULT.first_user) as second:
        assert first.number != second.number
        left = subprocess.Popen(["sleep", "60"], pass_fds=[first.lock])
    try:
        with borrowed_user(DEFAULT.first_user) as third:
            assert third.number != first.number
    finally:
        left.kill()
        left.wait()


@as_root
def test_a_program_that_root_starts_is_its_own_user_and_leaves_files_that_are_ours(tmp_path: Path) -> None:
    (tmp_path / "before").write_text("x")
    runner = SandboxedRunner("bwrap")
    script = "id -u; echo more >> before; mkdir deep; ln -s /etc/shadow deep/link; chmod 0 deep"
    done = runner.run(["sh", "-c", script], writes=tmp_path, limits=Limits(5))
    assert int(done.stdout) >= DEFAULT.first_user
    assert [(tmp_path / name).lstat().st_uid for name in ("", "before", "deep", "deep/link")] == [0, 0, 0, 0]
    assert Path("/etc/shadow").stat().st_uid == 0
    # and the next program, who is somebody else perhaps, can go on with them
    assert runner.run(["sh", "-c", "echo more >> before"], writes=tmp_path, limits=Limits(5)).returncode == 0


@as_root
def test_a_device_that_the_operator_lets_in_can_be_used(tmp_path: Path) -> None:
    device = Path("/dev/kmsg")
    let_in = replace(DEFAULT, devices=(device,))
    ask = ["sh", "-c", f"test -c {device} && ls /sys/class"]
    assert SandboxedRunner("bwrap", confinement=let_in).run(ask, limits=Limits(5)).returncode == 0
    assert SandboxedRunner("bwrap").run(ask, limits=Limits(5)).returncode != 0


def test_scratch_space_has_an_end_and_the_rest_cannot_be_written() -> None:
    script = (
        "for place in /tmp /dev/shm; do head -c 200000000 /dev/zero > $place/big && echo $place; rm $place/big; done;"
        "for place in / /dev /usr /proc /etc; do touch $place/new && echo $place; done; true"
    )
    done = SandboxedRunner("bwrap").run(["sh", "-c", script], limits=Limits(20))
    assert done.stdout == b""


def test_the_number_of_processes_has_an_end() -> None:
    script = "import os, time\nn = 0\ntry:\n  while n < 3000:\n    if os.fork() == 0: time.sleep(30)\n    n += 1\n"
    script += "except BlockingIOError: print(n)\nos.kill(-1, 9)"
    python = f"/usr/bin/python3.{sys.version_info.minor}"
    if not Path(python).exists():
        python = os.path.realpath(sys.executable)
    done = SandboxedRunner("bwrap").run([python, "-ISc", script], reads=[Path(sys.base_prefix)], limits=Limits(20))
    assert 0 < int(done.stdout.split()[0]) <= PROCESSES
