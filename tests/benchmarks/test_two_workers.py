"""Two workers of one core each against one: the same file, the same frames, in nearly half of the time.

`BENCH_CLIP` names a clip of your own, which is repeated to `BENCH_SECONDS`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from mediaflow.embedded.addresses import free_port
from mediaflow.embedded.redis_server import configure_redis
from tests.benchmarks.material import real_clip, repeated
from tests.integration.service import Service, clean_environ
from tests.integration.test_production import KEY, made, minted, wait_ready
from tests.programs import running

SECONDS: Final = float(os.environ.get("BENCH_SECONDS", "60"))
GOAL: Final = 1.8


@contextmanager
def workers(directory: Path, cores: list[int]) -> Iterator[Service]:
    """A web server, and a worker on each of these cores that takes on one core's load."""
    with ExitStack() as stack:
        redis = configure_redis(made(directory / "redis"), stack)
        server = [shutil.which("redis-server") or redis.program[0], *redis.program[1:]]
        stack.enter_context(running(server, directory / "redis.log", dict(os.environ), directory / "redis"))
        environ = clean_environ(
            MEDIAFLOW_DATA_DIR=str(directory / "data"),
            MEDIAFLOW_REDIS_URL=redis.url,
            MEDIAFLOW_JWT_KEY=KEY,
            MEDIAFLOW_PORT=str(free_port()),
            MEDIAFLOW_METRICS_BIND="off",
            MEDIAFLOW_MIN_FREE_BYTES="0",
            MEDIAFLOW_WORKER_LOAD="1",
        )
        program = [sys.executable, "-m", "mediaflow"]
        stack.enter_context(running([*program, "serve"], directory / "web.log", environ))
        for core in cores:
            pinned = ["taskset", "-c", str(core), *program, "worker", "--processes", "1"]
            stack.enter_context(running(pinned, directory / f"worker{core}.log", environ))
        url = f"http://127.0.0.1:{environ['MEDIAFLOW_PORT']}"
        wait_ready(url, directory / "web.log")
        time.sleep(5)
        yield Service(url, minted("ann", environ), "", "", directory / "data", 0)


def timed(directory: Path, clip: Path, cores: list[int]) -> tuple[float, dict[str, str]]:
    """Seconds from the last byte until it is ready, and what each segment is."""
    directory.mkdir()
    with workers(directory, cores) as service:
        asset_id = service.upload(clip).json()["asset_id"]
        began = time.monotonic()
        asset = service.settled(asset_id, 600)
        seconds = time.monotonic() - began
        assert asset["state"] == "ready", asset["error"]
        return seconds, _segments(service.data_dir)


def _segments(data_dir: Path) -> dict[str, str]:
    """The digest of each by its task, track and number; those that open the presentation are made again as parts."""
    found = {}
    for file in data_dir.rglob("assets/*/g1/*/*/*.m4s"):
        task, track, name = file.parts[-3:]
        if "first" not in task:
            found[f"{track}/{name}"] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_workers_take_half_of_the_time(tmp_path: Path) -> None:
    if (os.cpu_count() or 1) < 2:
        pytest.skip("needs two cores")
    clip = repeated(real_clip(tmp_path), tmp_path / "clip.mp4", SECONDS)
    (two, shared), (one, alone) = timed(tmp_path / "two", clip, [0, 1]), timed(tmp_path / "one", clip, [0])
    print(f"\n{SECONDS:.0f} s of 1080p, single-core workers: one {one:.1f} s, two {two:.1f} s: {one / two:.2f} times")
    assert shared.keys() == alone.keys()
    other = sorted(name for name in shared if shared[name] != alone[name])
    print(f"{len(shared)} segments, {len(other)} of other bytes {other[:5]}")
    assert one / two >= GOAL
