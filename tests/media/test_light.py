"""How bright a picture is: what it says, what is measured, and that both are told in cd/m2."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain.media import VideoStream
from mediaflow.media.indexed import LEAST_BYTES
from mediaflow.media.light import SIZE, Light, hlg_nits, light_of, pq_nits, stated_light, together
from mediaflow.media.probe import probe
from mediaflow.sandbox.runner import SandboxedRunner
from tests.hdr import hlg_signal, patches, pq_signal

PIXELS = SIZE[0] * SIZE[1]


def lit(path: Path) -> VideoStream:
    media = probe(path, SandboxedRunner("bwrap"), max_streams=32, max_pixels=75_000_000)
    assert media.video is not None
    return media.video


def frame(code: int, bright: int = 0, bright_code: int = 0) -> bytes:
    """A raw frame of gray, `bright` pixels of it of another."""
    return (array("H", [bright_code] * bright + [code] * (PIXELS - bright)) * 3).tobytes()


@pytest.mark.parametrize("nits", [0, 1, 100, 203, 1000])
def test_codes_are_light(nits: float) -> None:
    pq, hlg = ([round(1023 * signal(nits))] for signal in (pq_signal, hlg_signal))

    assert list(pq_nits(pq, pq, pq)) == pytest.approx([nits], rel=0.01, abs=0.01)
    assert list(hlg_nits(hlg, hlg, hlg)) == pytest.approx([nits], rel=0.01, abs=0.01)


def test_the_reference_white_is_at_the_levels_of_bt_2408() -> None:
    assert (round(pq_signal(203), 2), round(hlg_signal(203), 2)) == (0.58, 0.75)


def test_the_peak_is_the_brightest_frame_s_without_sparks_and_the_average_the_middle_one_s() -> None:
    dark, usual, bright = (round(1023 * pq_signal(nits)) for nits in (1, 50, 800))

    light = light_of(frame(dark) + frame(usual, bright=9, bright_code=1023) + frame(bright), pq_nits)

    assert light is not None
    assert light.peak_nits == pytest.approx(800, rel=0.01)
    assert light.average_nits == pytest.approx(50, rel=0.25)
    assert light_of(frame(usual, bright=9, bright_code=1023), pq_nits).peak_nits == pytest.approx(50, rel=0.01)  # type: ignore[union-attr]
    assert light_of(b"\0" * 100, pq_nits) is None


@pytest.mark.parametrize(
    ("streams", "frames", "peak"),
    [
        ([{"index": 0, "side_data_list": [{"max_content": 400}]}], [], 400),
        ([{"index": 0}], [{"stream_index": 0, "side_data_list": [{}, {"max_content": 400}]}], 400),
        ([{"index": 0}], [{"stream_index": 1, "side_data_list": [{"max_content": 400}]}], None),
        ([{"index": 0, "side_data_list": [{"max_content": 0}]}], [], None),  # 0 is "unknown"
        ([{"index": 0, "side_data_list": [{"max_content": 65535}]}], [], None),  # no screen, no transfer function
        ([{"index": 0, "side_data_list": [{"max_content": "bright"}]}], [], None),
    ],
)
def test_what_a_stream_says_of_itself_is_read_as_far_as_it_makes_sense(
    streams: list[dict[str, Any]], frames: list[dict[str, Any]], peak: float | None
) -> None:
    stated = stated_light({"streams": streams, "frames": frames}, 0)

    assert (stated and stated.peak_nits) == peak


def test_the_brightest_of_all_is_not_among_a_few_frames() -> None:
    assert together(Light(4000), Light(600, 30)) == Light(4000, 30)
    assert together(Light(100), Light(600, 30)) == Light(600, 30)
    assert together(None, Light(600, 30)) == Light(600, 30)
    assert together(Light(4000), None) == Light(4000)


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_the_light_of_a_clip_is_measured(transfer: str, tmp_path: Path) -> None:
    video = lit(patches(tmp_path / "c.mkv", [0, 26, 203, 600], transfer))

    assert video.peak_nits == pytest.approx(600, rel=0.03)
    assert video.average_nits == pytest.approx((0 + 26 + 203 + 600) / 4, rel=0.05)


def test_a_clip_that_says_it_may_be_brighter_than_a_few_frames_and_a_large_one_is_not_measured(tmp_path: Path) -> None:
    said = ("-c:v", "libx265", "-x265-params", "log-level=error:max-cll=1800,300:hdr10=1", "-tag:v", "hvc1")
    source = patches(tmp_path / "c.mp4", [26, 600], options=said)

    measured = lit(source)
    with source.open("ab") as file:  # a box of nothing
        file.write(LEAST_BYTES.to_bytes(4, "big") + b"free")
        file.truncate(source.stat().st_size + LEAST_BYTES)
    believed = lit(source)

    assert measured.peak_nits == believed.peak_nits == 1800
    assert measured.average_nits == pytest.approx(313, rel=0.05)
    assert believed.average_nits is None


def test_of_a_picture_of_usual_range_no_light_is_told(tmp_path: Path) -> None:
    video = lit(patches(tmp_path / "c.mkv", [26, 100], "bt2020-10"))

    assert (video.hdr, video.peak_nits, video.average_nits) == (False, None, None)
