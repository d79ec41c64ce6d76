"""What it costs to run a step that does nothing: forked from a prepared process, and as a Python of its own."""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mediaflow.plugin import Limits, StepTask
from mediaflow.plugin.wire import dump
from mediaflow.sandbox.runner import CLEAN_ENVIRONMENT
from mediaflow.sandbox.view import View, bubblewrap_view
from mediaflow.sandbox.watchdog import Watch, watched
from tests.services.stepbench import MEDIA, Bench, make_bench, steps_in
from tests.services.test_stepprocess import prepared_of

RUNS = int(os.environ.get("BENCH_ROUNDS", "20"))
TICKS = os.sysconf("SC_CLK_TCK")
AT_MOST = 0.5
"""Of the time that a Python of its own takes: measured 0.07 to 0.09 beside a dozen busy processes."""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with make_bench(tmp_path, "bwrap") as made, closing(steps_in(tmp_path, "bwrap", {"test.step": object()})) as steps:
        made.directory.mkdir()
        made.source.write_bytes(b"wav")
        yield Bench(tmp_path, "bwrap", steps)


@pytest.mark.slow
def test_a_forked_step_costs_a_fraction_of_a_start(bench: Bench) -> None:
    bench.run("return []")
    [prepared] = prepared_of(os.getpid())
    bench.write("return []")

    started, started_cpu = _median(lambda: _start(bench), lambda: 0.0)
    forked, forked_cpu = _median(bench.work, lambda: _processor_seconds(prepared))

    print(json.dumps({
        "started_ms": round(started * 1000, 1), "forked_ms": round(forked * 1000, 1), "ratio": forked / started,
        "started_cpu_ms": round(started_cpu * 1000, 1), "forked_cpu_ms": round(forked_cpu * 1000, 1),
        "runs": RUNS, "load": os.getloadavg(),
    }, indent=2))  # fmt: skip
    assert forked < AT_MOST * started


def _median(run: Callable[[], object], others: Callable[[], float]) -> tuple[float, float]:
    """The median of the seconds that a run takes, and the mean of its processor time, ours and others' included."""
    seconds = []
    before = _own_seconds() + others()
    for _ in range(RUNS):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), (_own_seconds() + others() - before) / RUNS


def _own_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _processor_seconds(process: int) -> float:
    """Of a process and its children that ended (proc(5): utime, stime, cutime, cstime)."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / TICKS


def _start(bench: Bench) -> None:
    """The same answer from a Python that is started in the same view, as it was done before."""
    command = [sys.executable, "-P", "-c"]
    command += [
        "import os, socket; pair = socket.socketpair(); os.dup2(pair[0].fileno(), 3)\n"
        "from mediaflow.services.pipeline import stepchild; stepchild.answer_request()"
    ]
    code = [Path.cwd(), Path(sys.prefix), Path(sys.base_prefix)]
    view = View([bench.root / "data"], [*code, bench.root, bench.source], bench.directory)
    request = {
        "plugin": "stepprobe", "entry_point": "stepprobe_plugin", "step": "test.step", "source": str(bench.source),
        "task": dump(StepTask("one", {}, MEDIA)), "directory": str(bench.directory), "inputs": {},
        "settings": {},
    }  # fmt: skip
    environment = {**CLEAN_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    lines: list[str] = []
    watch = Watch("python", Limits(60), lines.append, stdin=json.dumps(request).encode())
    ended = watched(bubblewrap_view(command, view), watch, env=environment, cwd=bench.directory)
    assert lines == ['{"done":0}'], ended.stderr
