"""Real and hostile files through the whole service: played or refused; nothing hangs, leaks or connects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import m3u8
import pytest
import requests

from tests.corpus import Sample, samples
from tests.integration.service import Service
from tests.integration.tripwires import Tripwires, tripwires_set

pytestmark = pytest.mark.skipif(not samples(), reason="the corpus is not at hand (MEDIAFLOW_CORPUS)")

ORDINARY = (
    "kkroening__in1.mp4",
    "sindresorhus__fixture.webm",
    "rails__video_without_audio_stream.mp4",
    "androidx__sample_with_srt.mkv",
)
"""Some that every run plays; the rest is in the long run."""
LONG = ("androidx__long_1080p_lowbitrate.mp4",)


@pytest.fixture(scope="module")
def tripwires() -> Iterator[Tripwires]:
    with tripwires_set() as listening:
        yield listening


def outcome(service: Service, sample: Sample, timeout_seconds: float = 100) -> dict[str, Any]:
    """What became of a file: the asset's state, or `refused` when it was not even taken."""
    if sample.path.stat().st_size == 0:
        answer = service.call("POST", "/uploads", json={"filename": sample.upload_name, "size_bytes": 0})
        assert answer.status_code == 422
        return {"state": "refused", "error": answer.json()}
    answer = service.upload(sample.path, sample.upload_name)
    assert answer.status_code < 500, answer.text
    if answer.status_code != 201:
        assert 400 <= answer.status_code < 500
        return {"state": "refused", "error": answer.json()}
    return service.settled(answer.json()["asset_id"], timeout_seconds)


def judge(service: Service, sample: Sample, asset: dict[str, Any]) -> None:
    """Fail when the manifest's verdict is not what happened."""
    if sample.verdict == "accept":
        assert asset["state"] == "ready", asset["error"]
    elif sample.verdict == "reject":
        assert asset["state"] in ("rejected", "refused"), asset
    if asset["state"] in ("rejected", "refused"):
        assert asset["error"]["code"].split(".")[0] in ("media", "upload"), asset["error"]
    assert asset["state"] != "failed", asset["error"]
    if asset["state"] == "ready":
        played(service, sample, asset)


def played(service: Service, sample: Sample, asset: dict[str, Any]) -> None:
    """The playlists name what the asset says, nothing is larger than the source, every first segment is there."""
    master_url = service.playback(asset["id"])["hls_url"]
    master = m3u8.loads(requests.get(master_url, timeout=30).text, uri=master_url)
    assert len(master.playlists) == len(asset["renditions"])
    largest = sample.expected.get("largest_rung_at_most")
    for variant in master.playlists:
        media = m3u8.loads(requests.get(variant.absolute_uri, timeout=30).text, uri=variant.absolute_uri)
        first = requests.get(media.segments[0].absolute_uri, timeout=30)
        assert first.status_code == 200
        assert first.content[4:8] in (b"styp", b"moof")
        if largest and variant.stream_info.resolution:
            width, height = variant.stream_info.resolution
            assert width <= largest[0]
            assert height <= largest[1]
            assert width % 2 == height % 2 == 0


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_files_play(service: Service, name: str) -> None:
    sample = next(s for s in samples() if s.name == name)
    judge(service, sample, outcome(service, sample))


@pytest.mark.parametrize(
    "sample",
    [s for s in samples() if s.name.startswith("hostile/") and s.verdict == "reject"],
    ids=lambda sample: sample.name.removeprefix("hostile/"),
)
def test_hostile_files_are_refused_and_reach_nothing(service: Service, tripwires: Tripwires, sample: Sample) -> None:
    asset = outcome(service, sample)
    judge(service, sample, asset)
    assert tripwires.connections() == 0
    assert "/tmp/" not in str(asset["error"])


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "sample",
    [s for s in samples() if s.name not in ORDINARY],
    ids=lambda sample: sample.name,
)
def test_every_file_of_the_corpus_gets_its_verdict(service: Service, tripwires: Tripwires, sample: Sample) -> None:
    judge(service, sample, outcome(service, sample, timeout_seconds=800))
    assert tripwires.connections() == 0
