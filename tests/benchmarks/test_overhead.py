"""What the pipeline costs beside the programs that it runs: the service, and `mediaflow transcode`, against its bare
commands.

The bare commands are all that it runs, as it runs them, as many at once as there are cores, without anything between
them: no sandbox, no verification, no documents. Paired in one run. `BENCH_CLIP` names a clip of your own.
"""

from __future__ import annotations

import itertools
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner

from mediaflow.cli.transcode import transcode
from mediaflow.sandbox.process import Limits
from mediaflow.sandbox.program import program_path
from mediaflow.sandbox.runner import Files, SandboxedRunner
from mediaflow.sandbox.watchdog import Ended
from tests.benchmarks.machine import metered
from tests.benchmarks.material import real_clip, repeated
from tests.integration.service import Service, clean_environ, running_service

SECONDS, ROUNDS = float(os.environ.get("BENCH_SECONDS", "60")), int(os.environ.get("BENCH_ROUNDS", "2"))
GOAL: Final = 1.05


@dataclass
class Recorded:
    """The commands of a run in the order in which they were begun, each to be repeated in a directory of its own."""

    keep: Path
    commands: dict[int, list[str]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def note(self, argv: list[str], files: Files) -> None:
        """Keep the command, and what it reads of what others made."""
        number = next(self.numbers)
        place = self.keep / f"{number:03d}"
        place.mkdir(parents=True)
        for read in files.reads:
            for file in [read] if read.is_file() else sorted(read.glob("check.mp4")):
                kept = str(shutil.copy(file, place))
                argv = [part.replace(str(file), kept) for part in argv]
        for part in argv:
            if "%05d" in part:  # one of the muxers makes no directories
                (place / part).parent.mkdir(parents=True, exist_ok=True)
        self.commands[number] = argv

    def run(self, number: int, out: Path) -> float:
        """Repeat one; its seconds."""
        place = out / f"{number:03d}"
        shutil.copytree(self.keep / f"{number:03d}", place, copy_function=os.link)
        argv = [program_path(self.commands[number][0]), *self.commands[number][1:]]
        began = time.monotonic()
        done = subprocess.run(argv, cwd=place, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr[-500:]
        return time.monotonic() - began


def recorded(clip: Path, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """What `mediaflow transcode` runs for the clip."""
    found = Recorded(directory / "kept")
    run: Callable[..., Any] = SandboxedRunner.run_among

    def noted(runner: SandboxedRunner, argv: list[str], files: Files, limits: Limits, on_line: Any = None) -> Ended:
        found.note([*argv], files)
        ended: Ended = run(runner, argv, files, limits, on_line)
        return ended

    with monkeypatch.context() as patch:
        patch.setattr(SandboxedRunner, "run_among", noted)
        done = CliRunner().invoke(transcode, [str(clip), str(directory / "recorded")])
    assert done.exit_code == 0, done.output
    return found


def bare(found: Recorded, taken: Callable[[], float], out: Path) -> tuple[float, float]:
    """Wall and core seconds of all commands, as many at once as there are cores."""
    out.mkdir()
    began, busy = time.monotonic(), taken()
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(lambda number: found.run(number, out), sorted(found.commands)))
    return time.monotonic() - began, taken() - busy


def ours(clip: Path, taken: Callable[[], float], out: Path) -> tuple[float, float]:
    """The same of `mediaflow transcode`."""
    began, busy = time.monotonic(), taken()
    command = [sys.executable, "-m", "mediaflow", "transcode", "--json", str(clip), str(out)]
    subprocess.run(command, check=True, capture_output=True, env=clean_environ())
    return time.monotonic() - began, taken() - busy


def served(clip: Path, taken: Callable[[], float], service: Service) -> tuple[float, float]:
    """The same of a service, from the last byte until it is ready, with all that the service does meanwhile."""
    announced = {"filename": clip.name, "size_bytes": clip.stat().st_size, "dedup": "off"}
    told = service.call("POST", "/uploads", json=announced).json()
    with clip.open("rb") as file:
        for index in range(told["chunk_count"]):
            body = file.read(told["chunk_size_bytes"])
            service.call("PUT", f"/uploads/{told['upload_id']}/chunks/{index}", data=body).raise_for_status()
    began, busy = time.monotonic(), taken()
    assert service.settled(told["asset_id"])["state"] == "ready"
    return time.monotonic() - began, taken() - busy


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_pipeline_takes_little_more_than_its_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = repeated(real_clip(tmp_path), tmp_path / "clip.mp4", SECONDS)
    found = recorded(clip, tmp_path, monkeypatch)
    with metered() as taken, running_service(tmp_path / "data") as service:
        rounds = [
            (
                bare(found, taken, tmp_path / f"bare{n}"),
                served(clip, taken, service),
                ours(clip, taken, tmp_path / f"o{n}"),
            )
            for n in range(ROUNDS)
        ]
    print(
        f"\n{SECONDS:.0f} s of 1080p, {len(found.commands)} commands; wall and core seconds, bare, service, transcode:"
    )
    for each in rounds:
        print("   ".join(f"{wall:6.1f} {cores:6.1f}" for wall, cores in each))
    ratios = [
        [statistics.median(each[way][unit] / each[0][unit] for each in rounds) for unit in (0, 1)] for way in (1, 2)
    ]
    print("   ".join(f"wall {wall:.3f}, core seconds {cores:.3f}" for wall, cores in ratios))
    (wall, _), (_, cores) = ratios
    # a command's wall time has Python's start and its imports in it, whatever the clip's length
    assert wall <= GOAL
    assert cores <= GOAL
