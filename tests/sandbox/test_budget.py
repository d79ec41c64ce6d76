"""What a program may use with all that it starts: whoever takes more is ended, soon, and says so in a sentence."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

import pytest

from mediaflow.domain.errors import MediaRejected
from mediaflow.sandbox.budget import Budget, Meter
from mediaflow.sandbox.cgroups import MemoryGroup, _bounded, _parents, memory_group
from mediaflow.sandbox.confinement import SandboxMode
from mediaflow.sandbox.errandchannel import ErrandChannel
from mediaflow.sandbox.ownership import remove_tree
from mediaflow.sandbox.process import Limits
from mediaflow.sandbox.program import Program
from mediaflow.sandbox.runner import CLEAN_ENVIRONMENT, SandboxedRunner
from mediaflow.sandbox.usage import ProcessTable, written
from mediaflow.sandbox.watchdog import Watch, _Run, watched
from tests.sandbox.ordinary import ordinary_user

MEBIBYTE: Final = 1024**2
AMPLE: Final = Budget(1024 * MEBIBYTE, cpu_seconds=60, processes=20)

TAKES_MEMORY = "import time; kept = []\nwhile True: kept.append(b'x' * 16_000_000); time.sleep(0)"
GRANDCHILD = f"import os; os.fork()\n{TAKES_MEMORY}"
IN_A_GRANDCHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {GRANDCHILD!r}])"
FORKS = "import os, time\nfor _ in range(40):\n  if os.fork() == 0: time.sleep(30)\ntime.sleep(30)"
COMPUTES = "import os; os.fork()\nwhile True: pass"
WRITES = (
    "import time\nwith open('big', 'wb') as f:\n while True: f.write(b'x' * 4_000_000); f.flush(); time.sleep(0.01)"
)
HIDES = "import os, time\nwith open('big', 'wb') as f:\n os.unlink('big'); f.write(b'x' * 60_000_000); time.sleep(30)"
WRITES_FILES = "import time\nfor n in range(10_000): open(f'{n}', 'w').close()\ntime.sleep(30)"


@pytest.mark.parametrize(
    ("code", "budget", "words"),
    [
        (TAKES_MEMORY, replace(AMPLE, memory_bytes=200 * MEBIBYTE), "more than 200 MiB of memory (MEDIAFLOW_TASK_MEM"),
        (IN_A_GRANDCHILD, replace(AMPLE, memory_bytes=200 * MEBIBYTE), "200 MiB of memory"),
        (FORKS, replace(AMPLE, processes=30), "more than 30 processes"),
        (COMPUTES, replace(AMPLE, cpu_seconds=1), "more than 1 s of processor time"),
        (WRITES, replace(AMPLE, written_bytes=20 * MEBIBYTE, written_files=10), "more than 20 MiB of disk"),
        (HIDES, replace(AMPLE, written_bytes=20 * MEBIBYTE, written_files=10), "more than 20 MiB of disk"),
        (WRITES_FILES, replace(AMPLE, written_bytes=MEBIBYTE, written_files=500), "more than 500 files"),
    ],
    ids=["memory", "memory of a grandchild", "processes", "processor", "bytes", "bytes without a name", "files"],
)
def test_whoever_takes_more_is_ended(code: str, budget: Budget, words: str, tmp_path: Path) -> None:
    budget = replace(budget, directory=tmp_path if budget.written_files else None)
    watch = Watch("hog", Limits(wall_seconds=25), budget=budget)
    with pytest.raises(MediaRejected, match=r"^hog took more than .* for this file, and was ended\.$") as caught:
        watched([sys.executable, "-c", code], watch, env=CLEAN_ENVIRONMENT, cwd=tmp_path)
    assert words in caught.value.detail
    assert caught.value.code == "media.too_costly"


def test_where_the_kernel_bounds_the_memory_looking_costs_a_fraction() -> None:
    def core_seconds(*, bounded: bool) -> float:
        # what looks is this process, whatever it took before
        meter = Meter("hog", Budget(1 << 50, cpu_seconds=1e9, processes=10_000), bounded)
        began, ends = time.thread_time(), time.monotonic() + 0.8
        while time.monotonic() < ends:
            meter.check([os.getpid()])
            time.sleep(0.02)
        return time.thread_time() - began

    assert core_seconds(bounded=True) < 0.5 * core_seconds(bounded=False)


def test_what_it_takes_meanwhile_is_not_much_more(tmp_path: Path) -> None:
    measured = (
        "import resource, sys; sys.path[:0] = ['.', 'plugins']\n"
        "from pathlib import Path\n"
        "from tests.sandbox.test_budget import *\n"
        "budget = replace(AMPLE, memory_bytes=200 * MEBIBYTE)\n"
        "try: watched([sys.executable, '-c', TAKES_MEMORY], Watch('hog', Limits(25), budget=budget),"
        " env=CLEAN_ENVIRONMENT, cwd=Path('/'))\n"
        "except MediaRejected: print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    done = subprocess.run([sys.executable, "-c", measured], capture_output=True, text=True, check=True)
    assert 200 * MEBIBYTE < int(done.stdout) * 1024 < (200 + 256) * MEBIBYTE


def test_a_program_in_the_sandbox_is_measured_too() -> None:
    runner = SandboxedRunner("bwrap", budget=replace(AMPLE, memory_bytes=100 * MEBIBYTE))
    hog = ["sh", "-c", "head -c 300000000 /dev/zero | tail -c 290000000 | sleep 20"]
    with pytest.raises(MediaRejected, match="sh took more than 100 MiB of memory"):
        runner.run(hog, limits=Limits(wall_seconds=25))
    assert runner.run(["sh", "-c", "echo fine"], limits=Limits(wall_seconds=25)).stdout == b"fine\n"


def test_a_tree_is_all_that_a_program_started() -> None:
    table = ProcessTable()
    with subprocess.Popen(["sh", "-c", "sleep 20 & (sleep 20; :) & wait"]) as process:
        deadline = time.monotonic() + 10
        while table.tree(process.pid).processes != 4:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        used = table.tree(process.pid)
        assert 4 * 100_000 < used.memory_bytes < 100 * MEBIBYTE
        subprocess.run(["pkill", "-P", str(process.pid)], check=True)
        process.kill()
    assert table.tree(process.pid).processes == 0
    assert table.tree(os.getpid()).cpu_seconds >= resource.getrusage(resource.RUSAGE_SELF).ru_utime * 0.9


def test_what_is_written_is_counted_up_to_a_number_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"x" * 8192)
    (tmp_path / "sparse").touch()
    os.truncate(tmp_path / "sparse", 10**12)
    (tmp_path / "a" / "up").symlink_to("/usr")
    size, files = written(tmp_path, most_files=100)
    assert (8192 <= size < 100_000, files) == (True, 4)
    assert written(tmp_path, most_files=2)[1] == 3
    assert written(tmp_path / "gone", most_files=2) == (0, 0)


def test_no_path_is_too_long_to_be_counted(tmp_path: Path) -> None:
    # given a directory that can be opened by its path and one that can't, each with a file
    first = (3840 - len(os.fspath(tmp_path / "0"))) // 251 + 1
    for depth in (first, first + 2):
        top = tmp_path / str(depth - first)
        top.mkdir()
        place = os.open(top, os.O_RDONLY)
        for _ in range(depth):
            os.mkdir("d" * 250, dir_fd=place)
            below = os.open("d" * 250, os.O_RDONLY, dir_fd=place)
            os.close(place)
            place = below
        os.close(os.open("f" * 255, os.O_CREAT | os.O_WRONLY, dir_fd=place))
        os.close(place)
        assert written(top, most_files=100)[1] == 101
        remove_tree(top)
        assert not top.exists()


def test_what_lies_in_a_sandboxs_scratch_places_is_memory() -> None:
    runner = SandboxedRunner("bwrap", budget=replace(AMPLE, memory_bytes=30 * MEBIBYTE))
    with pytest.raises(MediaRejected, match="sh took more than 30 MiB of memory"):
        runner.run(["sh", "-c", "head -c 50000000 /dev/zero > /tmp/x; sleep 20"], limits=Limits(wall_seconds=25))


def test_a_long_line_that_comes_in_little_pieces_takes_time_in_proportion() -> None:
    def seconds(pieces: int) -> float:
        started, run = time.process_time(), _Run(cast(Program, None), Watch("x", Limits(9), on_line=print), None, 0)
        for _ in range(pieces):
            run._take_stdout(b"twelve bytes")
        return time.process_time() - started

    assert seconds(80_000) < 8 * max(seconds(20_000), 0.01)


def test_a_long_line_of_a_program_is_told_to_its_step_piece_by_piece() -> None:
    ours, theirs = socket.socketpair()
    line, heard = "\0\u20ac\N{VIDEO CAMERA}" * 300_000, bytearray()

    def hear() -> None:
        while not heard.endswith(b"\n"):
            heard.extend(theirs.recv(65536))

    reader = threading.Thread(target=hear)
    with ours, theirs:
        reader.start()
        tracemalloc.start()
        try:
            ErrandChannel(ours, lambda: False).say_line(line)
            taken = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        reader.join()
    assert json.loads(heard) == {"line": line}
    assert taken - len(heard) < 3 * MEBIBYTE


# --- groups of the kernel's


def groups_can_be_made() -> bool:
    with memory_group(MEBIBYTE) as group:
        return group is not None


needs_groups = pytest.mark.skipif(not groups_can_be_made(), reason="no groups of processes can be made here")


@needs_groups
@pytest.mark.parametrize("mode", ["bwrap", "off"])
def test_the_kernel_ends_whoever_takes_it_all_between_two_looks(
    mode: SandboxMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Meter, "check", lambda *_: None)  # a watch that looks too late
    runner = SandboxedRunner(mode, budget=replace(AMPLE, memory_bytes=50 * MEBIBYTE))
    hog = ["sh", "-c", "head -c 400000000 /dev/zero | tail -c 390000000 | wc -c"]
    with pytest.raises(MediaRejected, match=r"^sh took more than 50 MiB of memory .*, and was ended\.$") as caught:
        runner.run(hog, limits=Limits(wall_seconds=25))
    assert caught.value.code == "media.too_costly"
    assert runner.run(["sh", "-c", "echo fine"], limits=Limits(wall_seconds=25)).stdout == b"fine\n"


@needs_groups
def test_a_group_is_gone_after_its_programs() -> None:
    with memory_group(MEBIBYTE) as group:
        assert group is not None
        assert group.entry.exists()
        assert not group.ran_out()
    assert not group.directory.exists()


@pytest.mark.parametrize(
    ("told", "parents"),
    [
        ("9:name=systemd:/\n4:memory:/a/b\n0::/\n", [("memory/a/b", True), ("", False)]),
        (
            "0::/system.slice/x.service/main\n",
            [("system.slice/x.service/main", False), ("system.slice/x.service", False)],
        ),
        ("5:cpu,memory:/\n", [("memory", True)]),
        ("9:name=systemd:/\n", []),
    ],
    ids=["both versions", "delegated", "with another controller", "none"],
)
def test_where_groups_are_made_is_told_by_the_kernel(told: str, parents: list[tuple[str, bool]]) -> None:
    assert list(_parents(told, Path("/c"))) == [(Path("/c", place), first) for place, first in parents]


def test_a_group_of_the_second_version_has_its_limits_and_tells_when_it_ran_out(tmp_path: Path) -> None:
    (tmp_path / "memory.swap.max").touch()
    assert _bounded(tmp_path, 1000, is_first_version=False)
    assert [(tmp_path / name).read_text() for name in ("memory.max", "memory.swap.max")] == ["1000", "0"]
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 7\noom 1\noom_kill 0\n")
    assert not MemoryGroup(tmp_path).ran_out()
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\n")
    assert MemoryGroup(tmp_path).ran_out()


def test_a_directory_that_is_closed_hides_nothing_from_an_ordinary_user() -> None:
    code = (
        "import os; from pathlib import Path; from mediaflow.sandbox.usage import written\n"
        "Path('closed').mkdir(); Path('closed/file').write_bytes(b'x' * 8192); os.chmod('closed', 0)\n"
        "print(written(Path('.'), most_files=10)[1]); os.chmod('closed', 0o700)\n"
    )
    with ordinary_user() as (python, _):
        assert subprocess.run([*python, "-c", code], capture_output=True, text=True, check=True).stdout == "11\n"
