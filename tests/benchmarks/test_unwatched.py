"""What an asset costs that nobody watches: on demand against the whole ladder, the same file, in one run.

Core seconds are those of the service with all that it starts, in sandboxes, too. `BENCH_CLIP` names a clip of your own,
which is repeated to `BENCH_SECONDS`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.benchmarks.machine import metered
from tests.benchmarks.material import real_clip, repeated
from tests.integration.service import Service, running_service

SECONDS: Final = float(os.environ.get("BENCH_SECONDS", "60"))
GOAL: Final = 0.20
IDLE_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Cost:
    core_seconds: float
    size_bytes: int


def cost(service: Service, taken: Callable[[], float], clip: Path, profile: str) -> Cost:
    """Of an upload until it is ready, without what the idle service takes, and of what is stored for it then."""
    idle = _idle(service, taken)
    began, busy = time.monotonic(), taken()
    asset_id = service.upload(clip, profile=profile, dedup="off").json()["asset_id"]
    asset = service.settled(asset_id, 600)
    assert asset["state"] == "ready", asset["error"]
    seconds = taken() - busy - idle * (time.monotonic() - began)
    stored = service.data_dir.rglob(f"assets/{asset_id}/*")
    made = [file for directory in stored for file in directory.rglob("*") if file.is_file()]
    return Cost(seconds, sum(file.stat().st_size for file in made))


def _idle(service: Service, taken: Callable[[], float]) -> float:
    """Core seconds a second that the service takes when there is nothing to do."""
    time.sleep(2)
    busy = taken()
    time.sleep(IDLE_SECONDS)
    assert service.call("GET", "/assets").ok
    return (taken() - busy) / IDLE_SECONDS


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_nobody_watches_costs_a_fifth(tmp_path: Path) -> None:
    clip = repeated(real_clip(tmp_path), tmp_path / "clip.mp4", SECONDS)
    with metered() as taken, running_service(tmp_path / "data") as service:
        profiles = ("web-h264-on-demand", "web-h264")
        demanded, whole = (cost(service, taken, clip, profile) for profile in profiles)
    assert demanded.size_bytes > 0
    cores = demanded.core_seconds / whole.core_seconds
    stored = demanded.size_bytes / whole.size_bytes
    print(f"\n{SECONDS:.0f} s of 1080p, core seconds and bytes until ready:")
    for name, each in (("whole ladder", whole), ("on demand", demanded)):
        print(f"{name:14} {each.core_seconds:7.1f} {each.size_bytes:12}")
    print(f"ratio          {cores:7.3f} {stored:12.3f}")
    assert cores <= GOAL
    assert stored <= GOAL
