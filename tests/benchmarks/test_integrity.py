"""`fsck` and `gc` over a million documents and objects: their time, and memory that does not grow with them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.integrity import STRAY_EVERY, fill

LARGE, SMALL = 100_000, 10_000
"""Assets, each with ten documents and ten objects."""


def measured(directory: Path, assets: int, what: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.integrity", str(directory), str(assets), what]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    sys.stdout.write(
        f"{what}, {assets} assets: {result['seconds']:.0f} s, {result['anonymous_bytes'] / 2**20:.0f} MiB\n"
    )
    return result


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_million_documents_and_objects_take_no_more_memory_than_a_tenth(tmp_path: Path) -> None:
    results = {}
    for assets in (SMALL, LARGE):
        fill(tmp_path / str(assets), assets)
        for what in ("fsck", "gc"):
            results[assets, what] = result = measured(tmp_path / str(assets), assets, what)
            assert result["found"] == assets // STRAY_EVERY
    assert results[LARGE, "fsck"]["looked_at"]["tasks"] == 6 * LARGE
    for what in ("fsck", "gc"):
        small, large = results[SMALL, what], results[LARGE, what]
        assert large["anonymous_bytes"] < 1.3 * small["anonymous_bytes"] + 2**25
        assert large["seconds"] < 20 * small["seconds"]
