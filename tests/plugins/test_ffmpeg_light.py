"""From high dynamic range to a usual screen, by the content's own light: by plan, and in the bytes that come out."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from mediaflow_ffmpeg.light import Exposure, exposure
from tests.hdr import patches, shares_of_white
from tests.plugins.test_ffmpeg_colour import output_stream
from tests.source_facts import VIDEO

HDR = replace(VIDEO, color_transfer="smpte2084")


@pytest.mark.parametrize(
    ("peak", "average", "expected"),
    [
        pytest.param(None, None, Exposure(203.0, 4.926), id="nothing is known"),
        pytest.param(1000, 30, Exposure(203.0, 4.926), id="a film"),
        pytest.param(4000, 30, Exposure(203.0, 19.704), id="a film with sparks"),
        pytest.param(203, 30, Exposure(203.0, 1.0), id="nothing is brighter than paper"),
        pytest.param(120, 10, Exposure(120.0, 1.0), id="nothing is as bright as paper"),
        pytest.param(40, 2, Exposure(100.0, 1.0), id="a dark film stays dark"),
        pytest.param(1000, 300, Exposure(450.0, 2.222), id="a sunny day"),
        pytest.param(300, 290, Exposure(300.0, 1.0), id="even light"),
    ],
)
def test_white_is_what_the_content_has_for_white(peak: float | None, average: float | None, expected: Exposure) -> None:
    assert exposure(replace(HDR, peak_nits=peak, average_nits=average)) == expected


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_light_comes_out_as_it_is_meant(transfer: str, tmp_path: Path) -> None:
    nits = [0, 26, 60, 100, 203, 1000, 0, 0]  # average 174: white is 261
    source = patches(tmp_path / "c.mkv", nits, transfer)

    output_stream(source, tmp_path / "out")

    shares = shares_of_white(tmp_path / "out" / "joined.mp4", len(nits))
    # gamma 2.4 (ITU-R BT.1886) of light as it is up to a third of white, and of less above it
    assert shares[:6] == pytest.approx([0, 0.38, 0.54, 0.65, 0.80, 1.0], abs=0.02)


def test_a_clip_of_little_light_is_not_dark_and_one_of_much_light_not_burnt(tmp_path: Path) -> None:
    dim, bright = [1, 20, 50, 100], [200, 400, 800, 1600]

    output_stream(patches(tmp_path / "dim.mkv", dim), tmp_path / "a")
    output_stream(patches(tmp_path / "bright.mkv", bright), tmp_path / "b")

    assert shares_of_white(tmp_path / "a" / "joined.mp4", 4)[1:] == pytest.approx([0.51, 0.75, 1.0], abs=0.02)
    shown = shares_of_white(tmp_path / "b" / "joined.mp4", 4)
    assert shown[-1] == pytest.approx(1.0, abs=0.02)
    # each patch has twice the light of the one before it, and is told from it
    assert all(later - earlier > 0.06 for earlier, later in pairwise(shown)), shown
