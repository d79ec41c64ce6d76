"""How soon a film of two hours plays after its last byte, beside a short clip of the same picture, in one run.

`BENCH_CLIP` names a clip of your own, which is repeated without encoding; some thirty seconds of 1080p give 2-4 GB.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from mediaflow.media.probe import probe
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing.clips import make_clip, run_ffmpeg
from tests.integration.service import Service, running_service

SECONDS = 7200
LEAST_GAIN = 3.0
"""How many times as fast a film is probed by its index, at least."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    named = os.environ.get("BENCH_CLIP")
    made = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return Path(named) if named else make_clip(made, seconds=20, width=1920, height=1080)


@pytest.fixture(scope="module")
def film(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    run_ffmpeg(["-stream_loop", "-1", "-i", str(clip), "-c", "copy", "-t", str(SECONDS), str(path)])
    return path


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_film_is_probed_by_its_index(film: Path) -> None:
    def seconds(least: int) -> float:
        began = time.monotonic()
        probe(film, SandboxedRunner("bwrap"), max_streams=32, max_pixels=75_000_000, least_bytes=least)
        return time.monotonic() - began

    quick, whole = min(seconds(0) for _ in range(3)), seconds(1 << 60)
    print(f"\n{film.stat().st_size / 1e9:.2f} GB: by its index {quick:.2f} s, all packets {whole:.2f} s")
    assert whole > LEAST_GAIN * quick


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_film_plays_as_soon_as_a_clip(clip: Path, film: Path, tmp_path: Path) -> None:
    with running_service(tmp_path / "data") as service:
        short, long = playable_after(service, clip), playable_after(service, film)
    began = time.monotonic()
    with film.open("rb") as file:
        hashlib.file_digest(file, "sha256")
    hashing = time.monotonic() - began
    print(f"\nclip {short:.2f} s, film {long:.2f} s; hashing it takes {hashing:.2f} s")
    assert long < short + hashing  # it waits neither for that nor for all of its packets


def playable_after(service: Service, path: Path) -> float:
    """Seconds from the last byte until it plays; what was begun is deleted, so that nothing runs beside the next."""
    told = service.call("POST", "/uploads", json={"filename": path.name, "size_bytes": path.stat().st_size}).json()
    with path.open("rb") as file:
        for index in range(told["chunk_count"]):
            body = file.read(told["chunk_size_bytes"])
            sent = service.call("PUT", f"/uploads/{told['upload_id']}/chunks/{index}", data=body)
            sent.raise_for_status()
    began = time.monotonic()
    service.playable(told["asset_id"])
    seconds = time.monotonic() - began
    service.call("DELETE", f"/assets/{told['asset_id']}")
    time.sleep(3)
    return seconds
