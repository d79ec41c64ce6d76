"""What two machines fetch of a film in an object store: for its first picture, and for a seek to its end.

A real S3 server (`tests/contracts/s3server.py`) and two workers with nothing in common but it, the documents and Redis.
`BENCH_CLIP` names a clip of your own, which is repeated without encoding; `BENCH_SECONDS` is how long (7200).
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
import requests

from tests.benchmarks.early import get, media_files, media_playlists
from tests.benchmarks.material import real_clip, repeated
from tests.chaos.processes import family, kill
from tests.chaos.shapes import Shape, running_shape
from tests.integration.service import Service

SECONDS: Final = float(os.environ.get("BENCH_SECONDS", "7200"))
LARGEST_SHARE: Final = 0.05
"""Of the film, that both machines together fetch for its first picture and one seek."""
MEBIBYTE: Final = 1024**2
ENVIRON: Final = {
    "MEDIAFLOW_WORKER_PROCESSES": "1",
    # without what chaos plugs in: it has films made in 36 times as many parts
    "PYTHONPATH": "",
}


@contextmanager
def hosts(directory: Path, count: int = 2) -> Iterator[tuple[Shape, list[Path]]]:
    """A web server with its database, Redis and object store, and workers with a data directory each."""
    with running_shape("production", directory, workers=0, environ=ENVIRON) as shape:
        (web,) = (unit for unit in shape.units if unit.name == "web")
        places = [directory / f"host{number}" for number in range(count)]
        command = [str(Path(sys.executable).parent / "dramatiq"), "mediaflow.worker", "--processes", "1"]
        for place in places:
            environ = {**shape.environ, "MEDIAFLOW_DATA_DIR": str(place)}
            shape.units.append(
                replace(
                    web, name=place.name, command=command, environ=environ, process=None, log=place.with_suffix(".log")
                )
            )
        shape.ensure()
        time.sleep(8)
        yield shape, places


def fetched(places: list[Path]) -> list[float]:
    """MiB of originals that each machine's cache takes of its disk."""
    return [sum(f.stat().st_blocks * 512 for f in place.glob("cache/*.copy")) / MEBIBYTE for place in places]


def segment(address: str, height: int, share: float) -> str:
    """The address of a segment that far in the film, of the size with that height or of its sound (0)."""
    (chosen,) = (uri for uri in media_playlists(address) if (f"/{height}p" if height else "/audio-128k") in uri)
    files = media_files(chosen)[1:]
    return files[int(share * (len(files) - 1))]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_film_elsewhere_is_fetched_where_it_is_watched(tmp_path: Path) -> None:
    film = repeated(real_clip(tmp_path), tmp_path / "film.mp4", SECONDS)
    size = film.stat().st_size / MEBIBYTE
    with hosts(tmp_path / "hosts") as (shape, places):
        service = Service(shape.url, shape.token, "", "", shape.directory, 0)
        asset_id = service.upload(film, profile="web-h264-on-demand").json()["asset_id"]
        began = time.monotonic()
        service.playable(asset_id)
        playable, opening = time.monotonic() - began, fetched(places)
        address = service.playback(asset_id)["hls_url"]
        seek = get(segment(address, 480, 0.9))
        sought = fetched(places)
        print(f"\nplayable after {playable:.2f} s with {_told(opening)} of {size:.0f} MiB")
        print(f"480p at 90 % after {seek.seconds:.2f} s, {seek.refusals} refusals, with {_told(sought)}")
        assert seek.status == requests.codes.ok

        # a machine dies with a piece in its hands
        wanted = segment(address, 720, 0.5)
        with pytest.raises(requests.Timeout):
            requests.get(wanted, timeout=0.7)
        busy = next((p.name for p in places if list(p.glob("work/*/*"))), places[0].name)
        for process in family([unit.pid for unit in shape.units if unit.name == busy]):
            kill(process.pid, signal.SIGKILL)
        died = time.monotonic()
        answer = get(wanted)
        print(f"720p at 50 %, {busy} killed: after {time.monotonic() - died:.1f} s, {answer.refusals} refusals")
        assert answer.status == requests.codes.ok
        service.call("DELETE", f"/assets/{asset_id}")
        assert sum(sought) < LARGEST_SHARE * size


def _told(shares: list[float]) -> str:
    return " and ".join(f"{share:.1f}" for share in shares) + " MiB fetched"
