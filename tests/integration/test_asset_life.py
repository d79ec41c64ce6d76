"""An asset's later life in the real service: processed again, deleted in mid-encode, restored, cancelled, purged."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from mediaflow.testing.clips import make_clip
from tests.integration.service import Service, running_service
from tests.integration.test_up import eventually, find

GONE_SECONDS = 15.0
"""What the service promises: so long after a cancel nothing of it runs."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One of our own: what is on its disk is looked at."""
    with running_service(tmp_path_factory.mktemp("life") / "data") as started:
        yield started


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Long enough to be still encoded when something happens to it."""
    return make_clip(tmp_path_factory.mktemp("long") / "long.mp4", seconds=30, width=1280, height=720)


def encoding(service: Service) -> set[int]:
    # what steps are forked from names the plugin too
    return find(service, "ffmpeg", "-nostdin")


def files(service: Service) -> set[Path]:
    return {path for path in (service.data_dir / "objects").rglob("*") if path.is_file()}


def test_the_old_generation_plays_while_another_profile_is_made(service: Service, clip: Path) -> None:
    # given
    asset_id = service.upload(clip, profile="web-h264").json()["asset_id"]
    before = service.settled(asset_id)
    assert before["state"] == "ready", before
    first = service.playback(asset_id)["hls_url"]

    # when
    began = service.call("POST", f"/assets/{asset_id}/reprocess", json={"profile": "mobile"})
    assert (began.status_code, began.json()["state"], began.json()["playable"]) == (202, "processing", True)

    # then
    assert service.call("POST", f"/assets/{asset_id}/reprocess").status_code == 409
    seen: set[float] = set()
    while (asset := service.asset(asset_id))["state"] == "processing":
        seen.add(asset["progress"])
        assert (asset["playable"], asset["profile"]) == (True, "web-h264")
        assert requests.get(first, timeout=10).ok
        time.sleep(0.2)
    assert len(seen) > 1, "no progress was told"
    assert (asset["state"], asset["profile"], asset["error"]) == ("ready", "mobile", None)
    second = service.playback(asset_id)["hls_url"]
    assert second != first
    for url in (first, second):
        assert requests.get(url, timeout=10).ok


def test_a_delete_ends_the_encode_a_restore_begins_it_again_and_a_cancel_ends_it(
    service: Service, long_clip: Path
) -> None:
    # given
    asset_id = service.upload(long_clip, profile="web-h264").json()["asset_id"]
    assert eventually(lambda: encoding(service), 60)

    # when it is deleted
    assert service.call("DELETE", f"/assets/{asset_id}").status_code == 204

    # then
    assert eventually(lambda: not encoding(service), GONE_SECONDS)
    assert service.call("GET", f"/assets/{asset_id}").status_code == 404

    # when it is restored
    restored = service.call("POST", f"/assets/{asset_id}/restore")
    assert (restored.status_code, restored.json()["state"]) == (200, "processing")
    assert eventually(lambda: encoding(service), 60)

    # and its job is cancelled
    job = service.call("GET", f"/jobs?asset_id={asset_id}").json()["items"][0]
    assert service.call("POST", f"/jobs/{job['id']}/cancel").json()["state"] == "cancelled"

    # then
    assert eventually(lambda: not encoding(service), GONE_SECONDS)
    asset = service.asset(asset_id)
    assert (asset["state"], asset["playable"], asset["error"]["code"]) == ("failed", False, "job.cancelled")


@pytest.mark.slow
def test_nothing_is_left_of_what_is_purged(service: Service, clip: Path, long_clip: Path) -> None:
    """Slow: a purge waits until the lease of a worker that was stopped in mid-encode has run out."""
    ready, twin = (service.upload(clip, profile="mobile").json()["asset_id"] for _ in range(2))
    for asset_id in (ready, twin):
        assert service.settled(asset_id)["state"] == "ready"
    running = service.upload(long_clip).json()["asset_id"]
    assert eventually(lambda: encoding(service), 60)

    listed = service.call("GET", "/assets?page_size=100").json()["items"]
    everything = [asset["id"] for asset in listed]
    assert {ready, twin, running} <= set(everything)
    answer = service.call("POST", "/assets/bulk", json={"action": "purge", "ids": everything})
    assert {result["status"] for result in answer.json()["results"]} == {204}

    assert eventually(lambda: not files(service), 90), files(service)
    assert service.call("GET", "/assets?deleted=true").json()["total"] == 0
    assert service.call("GET", "/jobs").json()["total"] == 0
