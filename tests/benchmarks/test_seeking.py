"""A seek to 90 % of a film that has just become playable, in a real browser on the same machine.

`BENCH_CLIP` names a clip of your own, which is repeated without encoding; `BENCH_SECONDS` is how long (7200), and
`BENCH_ROUNDS` how often each seek is tried.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser

from tests.benchmarks.browsers import Seat, seated, stage
from tests.benchmarks.material import real_clip, repeated
from tests.integration.browsing import running_browser
from tests.integration.service import Service, running_service

SECONDS: Final = float(os.environ.get("BENCH_SECONDS", "7200"))
ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "3"))
PLAYED_SECONDS: Final = 3.0
PLAYABLE_SECONDS: Final = 3.0
LONGEST_SECONDS: Final = 40.0
ON_DEMAND: Final = "web-h264-on-demand"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("film")
    return repeated(real_clip(directory), directory / "film.mp4", SECONDS)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("service") / "data") as service:
        yield service


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("profile", "height", "goal"), [("web-h264", 480, 3.0), (ON_DEMAND, 480, 3.0), (ON_DEMAND, 1080, 5.0)]
)
def test_a_seek_to_the_end_of_a_film(
    service: Service, browser: Browser, film: Path, profile: str, height: int, goal: float
) -> None:
    with stage() as address:
        rows = [tried(service, browser, address, film, profile, height) for _ in range(ROUNDS)]
    print(f"\n{SECONDS / 60:.0f} min, {film.stat().st_size / 1e9:.2f} GB, {profile}, {height}p")
    for playable, first, sought, facts in rows:
        print(f"playable after {playable:.2f} s, first picture {first:.2f} s; seek to 90 %: {sought} s; {facts}")
    assert min(playable for playable, *_ in rows) <= PLAYABLE_SECONDS
    assert all(sought is not None for _, _, sought, _ in rows)
    assert min(sought or LONGEST_SECONDS for _, _, sought, _ in rows) <= goal


def tried(
    service: Service, browser: Browser, address: str, film: Path, profile: str, height: int
) -> tuple[float, float, float | None, str]:
    """Seconds from the last byte until it plays, from the player's beginning to its first picture, and of the seek."""
    asset_id = service.upload(film, profile=profile, dedup="off").json()["asset_id"]
    began = time.monotonic()
    service.playable(asset_id)
    playable, began = time.monotonic() - began, time.monotonic()
    seat = seated(browser, address, "hls.js", service.playback(asset_id)["hls_url"], 0.0, height)
    first = _first_picture(seat, began)
    seat.page.wait_for_timeout(1000 * PLAYED_SECONDS)
    sought = seat.sought_seconds(0.9, LONGEST_SECONDS)
    seat.page.wait_for_timeout(1000)
    told = f"{seat.facts['height']}p at the end, {seat.errors or 'no errors'}"
    seat.page.context.close()
    # nothing runs beside the next
    service.call("DELETE", f"/assets/{asset_id}")
    time.sleep(4)
    return playable, first, sought, told


def _first_picture(seat: Seat, began: float) -> float:
    while seat.facts["place"] < 0.1:
        assert time.monotonic() - began < LONGEST_SECONDS, seat.errors
        seat.page.wait_for_timeout(50)
    return time.monotonic() - began
