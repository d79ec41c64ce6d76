"""Sound that is asked for in no order while it is made, against its source: no gap, no click, no drift, at any seam."""

from __future__ import annotations

import statistics
import subprocess
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import mul
from pathlib import Path
from typing import Final

import pytest
import requests

from mediaflow.plugin import MEDIA_OFFSET_SECONDS, origin_seconds
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing.clips import run_ffmpeg
from mediaflow.testing.steps import probed
from mediaflow_ffmpeg.jobs import FRAME_SAMPLES
from tests.benchmarks.early import jumped_about, lengths, media_playlists
from tests.integration.service import Service, running_service

SECONDS: Final = 240
RATE: Final = 48_000
"""Both are compared at it."""
DRIFT: Final = RATE // 100
WINDOW: Final = RATE // 50
"""Twenty milliseconds on each side of a seam."""
NEAR: Final = WINDOW // 4
MOST_WORSE: Final = 2.0
"""What is unlike the source at the worst seam, against the worst place inside a segment."""
A_MILLISECOND: Final = 0.1
"""So unlike may sound be, at most, whose second half is a millisecond from its first."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("seams") / "data") as started:
        yield started


def film(path: Path, rate: int, channels: str) -> Path:
    """Noise that an encoder follows, on every channel, and that never repeats; with a small picture."""
    pan = "|".join(f"c{n}=c0" for n in range({"mono": 1, "stereo": 2, "5.1": 6}[channels]))
    noise = f"anoisesrc=sample_rate={rate}:duration={SECONDS}:seed=7,lowpass=f=900,lowpass=f=900,volume=2"
    picture = f"testsrc2=size=320x180:rate=25:duration={SECONDS}"
    inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", f"{noise},pan={channels}|{pan}"]
    video = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50"]
    run_ffmpeg([*inputs, *video, "-c:a", "aac", "-b:a", "256k", str(path)])
    return path


def heard(source: str, begin_seconds: float) -> array[int]:
    """The left channel from that time on, of stereo as the service mixes it."""
    # `first_pts` counts samples of the filter's input
    resampled = f"aresample={RATE},aresample={RATE}:async=1:first_pts={round(begin_seconds * RATE)}"
    graph = f"{resampled},aformat=channel_layouts=stereo,pan=mono|c0=c0"
    argv = ["ffmpeg", "-v", "error", "-copyts", "-i", source, "-map", "0:a", "-af", graph, "-f", "s16le", "-"]
    return array("h", subprocess.run(argv, capture_output=True, check=True, timeout=200).stdout)


def product(one: array[int], other: array[int]) -> int:
    return sum(map(mul, one, other))


def unlike(source: array[int], made: array[int], at: int, lag: int, half: int = WINDOW) -> float:
    """How much of the sound around a sample is not the source's, made as loud: 0 the same, 1 all of it."""
    a, b = source[at - half : at + half], made[at + lag - half : at + lag + half]
    return 1 - product(a, b) * abs(product(a, b)) / max(1, product(a, a) * product(b, b))


def lag_at(source: array[int], made: array[int], at: int) -> int:
    """By how many samples the sound comes late there."""
    rough = min(range(-2 * DRIFT, 2 * DRIFT + 1, 6), key=lambda lag: unlike(source, made, at, lag))
    return min(range(rough - 6, rough + 7), key=lambda lag: unlike(source, made, at, lag))


@dataclass(frozen=True)
class Compared:
    """A rendition of sound against its source: lags in samples at all seams, and how unlike they are near seams and in
    the middle of segments.
    """

    lags: list[int]
    seams: list[float]
    inside: list[float]


def compared(source: array[int], made: array[int], durations: list[float], delay_seconds: float) -> Compared:
    ends = [round((end - delay_seconds) * RATE) for end in accumulate(durations)]
    seams = ends[:-1]
    middles = [(a + b) // 2 for a, b in pairwise(seams)]
    lags, inside = ({at: lag_at(source, made, at) for at in places} for places in (seams, middles))
    # each at its own lag: Matroska counts milliseconds
    near = [[unlike(source, made, at, lag, NEAR) for at, lag in found.items()] for found in (lags, inside)]
    return Compared(list(lags.values()), *near)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("container", "rate", "channels"),
    [
        ("mp4", 48_000, "stereo"),
        ("mkv", 48_000, "stereo"),
        ("mp4", 44_100, "mono"),
        ("mkv", 44_100, "5.1"),
        ("mp4", 48_000, "5.1"),
        ("mp4", 96_000, "stereo"),
    ],
)
def test_sound_is_the_sources_at_every_seam(
    service: Service, container: str, rate: int, channels: str, tmp_path: Path
) -> None:
    path = film(tmp_path / f"film.{container}", rate, channels)
    asset_id = service.upload(path).json()["asset_id"]
    assert service.playable(asset_id)["state"] == "processing"
    before, address = begun(service), service.playback(asset_id)["hls_url"]
    sounds = [uri for uri, frame_rate in media_playlists(address).items() if frame_rate is None]

    answers = jumped_about(address, rate, sounds)

    assert {answer.status for answer in answers.values()} == {200}
    pieces = begun(service) - before
    source = heard(str(path), origin_seconds(probed(path, SandboxedRunner("bwrap"))))
    for uri in sounds:
        made, durations = heard(uri, MEDIA_OFFSET_SECONDS), lengths(uri)
        found = compared(source, made, durations, FRAME_SAMPLES / min(rate, RATE))
        print(
            f"\n{container} {rate} {channels} {uri.rsplit('/', 1)[1]}: {pieces} pieces, {len(found.seams)} seams"
            f"; lag {min(found.lags)} to {max(found.lags)} samples, end {len(made) - len(source):+}; unlike at seams"
            f" {max(found.seams):.4f} (median {statistics.median(found.seams):.4f}), inside {max(found.inside):.4f}"
            f" (median {statistics.median(found.inside):.4f})"
        )
        assert max(map(abs, found.lags)) <= DRIFT
        # Matroska counts milliseconds, and a piece begins by that
        assert max(found.seams) <= (MOST_WORSE * max(found.inside) if container == "mp4" else A_MILLISECOND)
        assert abs(len(made) - len(source)) <= DRIFT
    assert pieces > 0
    service.settled(asset_id, 200)
    service.call("DELETE", f"/assets/{asset_id}")


def begun(service: Service) -> int:
    """Pieces that were begun since somebody waited."""
    lines = requests.get(service.metrics_url, timeout=30).text.splitlines()
    found = [line for line in lines if line.startswith("mediaflow_demand_total") and '"begun"' in line]
    return sum(int(float(line.split()[-1])) for line in found)
