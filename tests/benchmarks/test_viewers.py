"""Twenty viewers at random places of five assets that are made on demand, and real players beside them.

`BENCH_CLIP` names a clip of your own, `BENCH_PLAYERS` a directory of npm packages that has shaka-player.
"""

from __future__ import annotations

import os
import random
import statistics
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Final

import pytest
import requests

from tests.benchmarks.browsers import Seat, players, seated, stage
from tests.benchmarks.machine import encoders, sampled
from tests.benchmarks.material import beginning, real_clip, repeated
from tests.benchmarks.viewing import STUCK_SECONDS, Viewer
from tests.integration.browsing import running_browser
from tests.integration.service import Service, running_service

ASSETS, VIEWERS = 5, int(os.environ.get("BENCH_VIEWERS", "20"))
ASSET_SECONDS, WATCH_SECONDS = (
    float(os.environ.get("BENCH_SECONDS", "100")),
    float(os.environ.get("BENCH_WATCH_SECONDS", "50")),
)
DEMAND: Final = "web-h264-on-demand"
DESIGNED: Final = {"segment 503", "sound 503", "multivariant 503", "segment late"}
"""Refusals that a player may meet; it asks again."""


def prepared(service: Service, clip: Path, count: int) -> list[str]:
    """So many assets of the clip, of which the smallest size is made."""
    found = [service.upload(clip, f"{n}.mp4", profile=DEMAND, dedup="off").json()["asset_id"] for n in range(count)]
    for asset_id in found:
        asset = service.settled(asset_id, 400)
        assert asset["state"] == "ready", asset["error"]
    return found


def table(viewers: list[Viewer], seats: list[Seat]) -> None:
    for viewer in viewers:
        first = "never" if viewer.first_seconds is None else f"{viewer.first_seconds:5.2f}"
        print(
            f"{first} s to play, {viewer.played_seconds:5.1f} s played, {viewer.stalls} stalls"
            f" {viewer.stall_seconds:5.1f} s"
            f" (longest {viewer.longest_stall:4.1f}), {dict(viewer.sizes)} {dict(viewer.refused)} {viewer.error or ''}"
        )
    for seat in seats:
        print(f"{seat.kind:13} {seat.facts} {seat.errors}")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nobody_of_twenty_is_stuck(tmp_path: Path) -> None:
    clip, rng = repeated(real_clip(tmp_path), tmp_path / "clip.mp4", ASSET_SECONDS), random.Random(5)
    with running_service(tmp_path / "data") as service, running_browser() as browser, stage() as address:
        assets = prepared(service, clip, ASSETS)
        viewers = [Viewer(service, assets[n % ASSETS], rng.uniform(0, 0.9), WATCH_SECONDS) for n in range(VIEWERS)]
        threads = [threading.Thread(target=viewer.watch) for viewer in viewers]
        with encoders() as found, sampled(lambda: True) as cores:
            for thread in threads:
                thread.start()
            seats = [
                seated(browser, address, kind, service.playback(rng.choice(assets))["hls_url"], rng.uniform(0, 0.9))
                for kind in players()
            ]
            ends = time.monotonic() + WATCH_SECONDS
            while time.monotonic() < ends:
                seats[0].page.wait_for_timeout(500)
            for thread in threads:
                thread.join(3 * WATCH_SECONDS)
        print(f"\n{VIEWERS} viewers of {ASSETS} assets for {WATCH_SECONDS:.0f} s, and {', '.join(players())}")
        table(viewers, seats)
        facts = [(seat.kind, seat.facts, seat.errors) for seat in seats]
    refused = sum((viewer.refused for viewer in viewers), Counter[str]())
    waits = sorted(wait for viewer in viewers for wait in viewer.waits)
    print(f"refused {dict(refused)}; waits median {statistics.median(waits):.2f} s, longest {waits[-1]:.2f} s")
    print(f"encoders at once {Counter(found.counts)}; cores {cores.mean:.2f}")
    assert not [viewer.error for viewer in viewers if viewer.is_stuck]
    for kind, fact, errors in facts:
        assert not errors, (kind, errors)
        assert fact["moved"] > 1 or fact["ended"], (kind, fact)
        assert fact["longest"] <= STUCK_SECONDS, (kind, fact)
    assert set(refused) <= DESIGNED
    assert max(found.counts) <= (os.cpu_count() or 1)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_was_evicted_is_watched_again(tmp_path: Path) -> None:
    """A budget of a byte; what nobody watches goes, and comes back as another object, in whole and in ranges."""
    clip = beginning(real_clip(tmp_path), tmp_path / "clip.mp4", 20)
    bucket = {"MEDIAFLOW_STREAM_BUCKET_SECONDS": "20", "MEDIAFLOW_DEMAND_VIEWERS": "100"}
    with running_service(tmp_path / "data", **bucket) as service:
        (asset_id,) = prepared(service, clip, 1)
        before = _tags(service, asset_id)
        eager = _stored(service, asset_id, "eager")
    with running_service(tmp_path / "data", **bucket, MEDIAFLOW_RENDITION_BUDGET_BYTES="1") as service:
        began = time.monotonic()
        while _stored(service, asset_id, "on_demand"):
            assert time.monotonic() - began < 240, "nothing was evicted"
            time.sleep(2)
        evicted = time.monotonic() - began
        assert _stored(service, asset_id, "eager") == eager
        viewer = Viewer(service, asset_id, 0.0, 15)
        viewer.watch()
        after = _tags(service, asset_id)
        print(f"\nevicted after {evicted:.0f} s; watched again: {viewer.played_seconds:.1f} s, {viewer.stalls} stalls")
        assert not viewer.is_stuck
        assert {path: tag for path, (tag, _) in after.items()}.keys() == before.keys()
        for path, (tag, _) in after.items():
            assert (tag == before[path][0]) == ("360p" in path), "another object has another tag, what stayed the same"
        _check_ranges(service, asset_id, before, after)


def _stored(service: Service, asset_id: str, when: str) -> int:
    """Segments that are there of the sizes that are made then."""
    return sum(r["segments_ready"] for r in service.asset(asset_id)["renditions"] if r["when"] == when)


def _tags(service: Service, asset_id: str) -> dict[str, tuple[str, bytes]]:
    """Of the third segment of each size, by its path in the stream: its tag and bytes."""
    found: dict[str, tuple[str, bytes]] = {}
    for place in range(len(_third(service, asset_id))):
        # each by an address that was told just now: a token lasts for a minute here
        while (answer := requests.get(address := _third(service, asset_id)[place], timeout=20)).status_code == 503:
            time.sleep(float(answer.headers["Retry-After"]))
        assert answer.status_code == 200, answer.text
        found[_path(address)] = answer.headers["ETag"], answer.content
    return found


def _third(service: Service, asset_id: str) -> list[str]:
    return [size.video[2] for size in Viewer(service, asset_id, 0.0, 1).all_sizes()]


def _path(address: str) -> str:
    return address.split("/stream/")[1].split("/", 2)[2]


def _check_ranges(
    service: Service, asset_id: str, before: dict[str, tuple[str, bytes]], after: dict[str, tuple[str, bytes]]
) -> None:
    for address in _third(service, asset_id):
        path = _path(address)
        old, (new, body) = before[path][0], after[path]
        ranged = requests.get(address, headers={"Range": "bytes=10-99", "If-Range": new}, timeout=20)
        assert (ranged.status_code, ranged.content) == (206, body[10:100])
        stale = requests.get(address, headers={"Range": "bytes=10-99", "If-Range": old}, timeout=20)
        expected = (206, body[10:100]) if old == new else (200, body)
        assert (stale.status_code, stale.content) == expected
