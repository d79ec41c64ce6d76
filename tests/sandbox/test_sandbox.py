"""Programs on untrusted files: what they can see, when they are ended, and that nothing of them is left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mediaflow.domain.errors import TaskFailed
from mediaflow.sandbox.confinement import SandboxMode
from mediaflow.sandbox.process import Limits
from mediaflow.sandbox.runner import SandboxedRunner, readable_stderr

BOTH: list[SandboxMode] = ["bwrap", "off"]
QUICK = Limits(wall_seconds=10)
SLEEP = f"4243.{os.getpid()}"
"""So many seconds that no other program here sleeps as long: not even one of another run of the tests."""


@pytest.fixture(params=BOTH)
def runner(request: pytest.FixtureRequest) -> SandboxedRunner:
    return SandboxedRunner(request.param)


@pytest.fixture
def confined() -> SandboxedRunner:
    return SandboxedRunner("bwrap")


def test_a_program_reads_what_it_was_given_and_writes_where_it_may(runner: SandboxedRunner, tmp_path: Path) -> None:
    source, out = tmp_path / "in dir" / "a b.txt", tmp_path / "out"
    source.parent.mkdir()
    source.write_text("hello")
    out.mkdir()
    done = runner.run(["cp", str(source), "copy"], reads=[source], writes=out, limits=QUICK)
    assert (done.returncode, done.stderr) == (0, "")
    assert (out / "copy").read_text() == "hello"


def test_a_program_gets_a_clean_environment_and_no_stdin(runner: SandboxedRunner) -> None:
    done = runner.run(["sh", "-c", "env; cat"], limits=QUICK)
    names = {line.split("=")[0] for line in done.stdout.decode().splitlines()}
    assert names <= {"PATH", "LANG", "HOME", "PWD", "SHLVL", "_", "OLDPWD"}


@pytest.mark.parametrize(
    "script",
    [
        "cat {secret}",
        "ls {folder}",
        "echo x > {source}",
        "echo x > {folder}/new",
        "ls /root /home",
        "cat /etc/passwd",
        "kill -0 {pid}",
    ],
)
def test_a_confined_program_touches_nothing_else(confined: SandboxedRunner, tmp_path: Path, script: str) -> None:
    folder, out = tmp_path / "data", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    source, secret = folder / "source", folder / "secret"
    source.write_text("source")
    secret.write_text("secret")
    command = script.format(source=source, secret=secret, folder=f"{folder}/secret", pid=os.getpid())
    done = confined.run(["sh", "-c", command], reads=[source], writes=out, limits=QUICK)
    assert done.returncode != 0
    assert b"secret" not in done.stdout
    assert source.read_text() == "source"
    assert sorted(path.name for path in folder.iterdir()) == ["secret", "source"]


def test_a_confined_program_has_no_network(confined: SandboxedRunner) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        port = server.getsockname()[1]
        done = confined.run(["bash", "-c", f"echo x > /dev/tcp/127.0.0.1/{port}"], limits=QUICK)
        assert done.returncode != 0
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize(
    ("argv", "limits", "code"),
    [
        (["sleep", SLEEP], Limits(0.5), "job.timeout"),
        (["sh", "-c", f"sleep {SLEEP} & sleep {SLEEP}"], Limits(9, stall_seconds=0.4), "job.stalled"),
        (["sh", "-c", f"exec >&- 2>&-; sleep {SLEEP}"], Limits(0.5), "job.timeout"),
        (["sh", "-c", f"trap '' TERM INT HUP; echo; sleep {SLEEP}"], Limits(0.5), "job.timeout"),
        (["yes"], Limits(9, stdout_bytes=100_000), "job.output_too_large"),
        (["dd", "if=/dev/zero", "of=big", "bs=100k", "count=5"], Limits(9, file_bytes=200_000), "job.output_too_large"),
        (["no-such-program"], Limits(9), "job.program_missing"),
    ],
)
def test_a_program_out_of_bounds_is_ended(
    runner: SandboxedRunner, tmp_path: Path, argv: list[str], limits: Limits, code: str
) -> None:
    started = time.monotonic()
    with pytest.raises(TaskFailed) as caught:
        runner.run(argv, writes=tmp_path, limits=limits)
    assert caught.value.code == code
    assert time.monotonic() - started < 3
    assert within(1, lambda: not running(f"sleep {SLEEP}"))


@pytest.mark.parametrize("number", ["KILL", "TERM"])
def test_a_program_that_others_kill_tells_nothing_of_its_file(runner: SandboxedRunner, number: str) -> None:
    """Seen: ffprobe was killed, and a good file was rejected as damaged."""
    with pytest.raises(TaskFailed) as caught:
        runner.run(["sh", "-c", f"sh -c 'kill -{number} $PPID; sleep 1'; sleep 9"], limits=QUICK)
    assert caught.value.code == "job.killed"


def test_lines_are_passed_on_and_not_kept_even_without_a_last_line_feed(runner: SandboxedRunner) -> None:
    lines: list[str] = []
    done = runner.run(["printf", "a=1\\n\\nb=2\\nend"], limits=QUICK, on_line=lines.append)
    assert (lines, done.stdout) == (["a=1", "", "b=2", "end"], b"")


def test_each_line_puts_off_the_stall(runner: SandboxedRunner) -> None:
    script = "for i in 1 2 3 4 5 6; do echo $i; sleep 0.2; done"
    done = runner.run(["sh", "-c", script], limits=Limits(20, stall_seconds=0.8))
    assert done.stdout.count(b"\n") == 6


def test_an_endless_line_is_an_error(runner: SandboxedRunner) -> None:
    with pytest.raises(TaskFailed) as caught:
        runner.run(["cat", "/dev/zero"], limits=QUICK, on_line=lambda _: None)
    assert caught.value.code == "job.output_too_large"


def test_what_a_listener_raises_ends_the_program(runner: SandboxedRunner) -> None:
    def refuse(line: str) -> None:
        raise LookupError(line)

    with pytest.raises(LookupError, match="first"):
        runner.run(["sh", "-c", "echo first; sleep 4243.2"], limits=QUICK, on_line=refuse)
    assert not running("sleep 4243.2")


@pytest.mark.parametrize("sandbox", BOTH)
def test_a_wish_to_stop_is_heard_within_half_a_second(sandbox: SandboxMode) -> None:
    started = time.monotonic()
    stopping = SandboxedRunner(sandbox, lambda: "the asset was deleted" if time.monotonic() - started > 0.3 else None)
    with pytest.raises(TaskFailed, match="sleep was stopped: the asset was deleted") as caught:
        stopping.run(["sleep", "4243.3"], limits=QUICK)
    assert caught.value.code == "job.stopped"
    assert time.monotonic() - started < 1.5
    assert not running("sleep 4243.3")


def test_a_program_that_leaves_something_behind_ends_all_the_same(runner: SandboxedRunner) -> None:
    started = time.monotonic()
    done = runner.run(["sh", "-c", "sleep 4243.4 & echo done"], limits=QUICK)
    assert done.stdout == b"done\n"
    assert time.monotonic() - started < 3
    assert not running("sleep 4243.4")


def test_the_exit_code_and_the_end_of_stderr_are_told_without_paths(runner: SandboxedRunner, tmp_path: Path) -> None:
    source = tmp_path / "clip.mp4"
    source.write_text("x")
    script = f"head -c 100000 /dev/zero | tr '\\0' x >&2; echo >&2; echo {source}: bad >&2; exit 7"
    done = runner.run(["sh", "-c", script], reads=[source], limits=QUICK)
    assert (done.returncode, done.stderr) == (7, "clip.mp4: bad\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("file:/data/objects/ab/source: moov atom not found", "file:source: moov atom not found"),
        ("/data/work/t1/out/0.m4s: No space", "t1/out/0.m4s: No space"),
        ("/data/other is not ours", "other is not ours"),
        ("/dev/null stays", "/dev/null stays"),
    ],
)
def test_messages_of_programs_show_no_directory(text: str, shown: str) -> None:
    assert readable_stderr(text.encode(), [Path("/data/objects/ab/source"), Path("/data/work/t1")]) == shown


@pytest.mark.parametrize("sandbox", BOTH)
def test_a_program_dies_with_its_caller_even_when_that_is_killed(sandbox: SandboxMode) -> None:
    # given a process of ours that runs a program
    code = (
        "from mediaflow.sandbox.runner import SandboxedRunner; from mediaflow.sandbox.process import Limits;"
        f"SandboxedRunner({sandbox!r}).run(['sleep', '4243.5'], limits=Limits(60))"
    )
    caller = subprocess.Popen([sys.executable, "-c", code])
    try:
        assert within(20, lambda: running("sleep 4243.5"))
    finally:
        # when it is killed without a chance to clean up
        caller.send_signal(signal.SIGKILL)
        caller.wait()
    # then the program is gone
    assert within(5, lambda: not running("sleep 4243.5"))


def test_no_zombie_is_left(runner: SandboxedRunner) -> None:
    for _ in range(5):
        runner.run(["true"], limits=QUICK)
    own = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
    # after the last `)` of stat comes the state; this process may have other, living children
    states = [Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] for pid in own]
    assert "Z" not in states


def test_several_threads_run_programs_at_once(runner: SandboxedRunner) -> None:
    results: list[bytes] = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(runner.run(["echo", str(n)], limits=QUICK).stdout))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [b"0\n", b"1\n", b"2\n", b"3\n"]


def running(command: str) -> bool:
    """Whether the program itself is alive; a wrapper on its way to it does not count."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").strip().decode(errors="replace")
            if line in (command, f"/usr/bin/{command}"):
                return True
        except OSError:
            continue
    return False


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()
