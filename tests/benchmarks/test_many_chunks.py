"""What a chunk costs early and late in an upload of ten thousand, in one run: its receipt must not count the others."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from mediaflow.services.uploads.acceptance import NewUpload
from tests.services.world import make_world

CHUNKS = 10_000
EACH = 1024
SAMPLE = 500
GOAL = 1.3


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_thousand_chunks_cost_no_more_each_than_the_first_ones(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    new = NewUpload(filename="clip.mp4", size_bytes=CHUNKS * EACH, chunk_size_bytes=EACH)
    upload, _ = world.runtime.ingest.announce("ann", new)
    taken = []
    for index in range(CHUNKS - SAMPLE):
        began = time.perf_counter()
        world.runtime.ingest.receive("ann", upload.id, index, [bytes(EACH)], content_length=EACH, digest=None)
        taken.append(time.perf_counter() - began)
    early, late = sorted(taken[100 : 100 + SAMPLE])[SAMPLE // 2], sorted(taken[-SAMPLE:])[SAMPLE // 2]
    world.runtime.close()

    print(
        json.dumps(
            {"early_ms": round(1000 * early, 3), "late_ms": round(1000 * late, 3), "ratio": round(late / early, 3)}
        )
    )
    assert late <= GOAL * early
