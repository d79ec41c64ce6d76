"""Animated GIFs become videos: at their own pace, once, over white."""

from __future__ import annotations

import struct
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from mediaflow.plugin import MediaRejected
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing import measure
from mediaflow.testing.steps import probed
from tests.gifs import gif
from tests.integration.encode_files import builtin_profile, encode_to_directory

RED, GREEN, BLUE, WHITE = "red", "green", "blue", "white"
Seen = list[tuple[str, str, float]]


def shown(file: Path, rate: Fraction) -> Seen:
    """The colours of the left and the right half, and how long they are seen."""
    raw = ["-vf", "scale=2:1:flags=area", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    pixels = subprocess.run(["ffmpeg", "-v", "error", "-i", str(file), *raw], capture_output=True, check=True).stdout
    found: Seen = []
    for at in range(0, len(pixels), 6):
        left, right = (colour(pixels[place : place + 3]) for place in (at, at + 3))
        if found and found[-1][:2] == (left, right):
            found[-1] = (left, right, found[-1][2] + float(1 / rate))
        else:
            found.append((left, right, float(1 / rate)))
    return found


def colour(pixel: bytes) -> str:
    names = {"111": WHITE, "100": RED, "010": GREEN, "001": BLUE}
    return names.get("".join(str(int(level > 127)) for level in pixel), pixel.hex())


@pytest.mark.parametrize(
    ("delays", "seconds"),
    [
        pytest.param([50, 100, 30], [0.5, 1.0, 0.3], id="delays of its own"),
        pytest.param([0, 1, 20], [0.1, 0.1, 0.2], id="no delay is a tenth of a second, as in browsers"),
        pytest.param([4] * 6, [0.04] * 6, id="25 a second", marks=pytest.mark.slow),
        pytest.param([7] * 6, [0.07] * 6, id="14.3 a second", marks=pytest.mark.slow),
        pytest.param([50, 50], [0.5, 0.5], id="two a second", marks=pytest.mark.slow),
        pytest.param([500, 10, 300], [5.0, 0.1, 3.0], id="long and short", marks=pytest.mark.slow),
        pytest.param([13, 7, 22, 5], [0.13, 0.07, 0.22, 0.05], id="nothing in common", marks=pytest.mark.slow),
    ],
)
def test_each_frame_is_seen_for_its_time_once_and_over_white(
    delays: list[int], seconds: list[float], tmp_path: Path
) -> None:
    encoded = encode_to_directory(gif(tmp_path / "a.gif", delays), builtin_profile("web-h264"), tmp_path / "out")

    (rendition,) = encoded.presentation.video
    whole = measure.joined(tmp_path / "whole.mp4", encoded.files_of(rendition.track.name))
    found = shown(whole, rendition.track.frame_rate or Fraction(1))
    colours = [(RED, GREEN, BLUE)[number % 3] for number in range(len(delays))]
    assert [(left, right) for left, right, _ in found] == [(WHITE, each) for each in colours]
    assert [each for *_, each in found] == pytest.approx(seconds, abs=0.021)
    assert encoded.presentation.audio == ()
    assert encoded.media.content_type == "image/gif"


def test_one_that_does_not_move_is_an_image(tmp_path: Path) -> None:
    with pytest.raises(MediaRejected, match=r"is an image \(GIF\), not a video") as caught:
        probed(gif(tmp_path / "a.gif", [50]), SandboxedRunner("bwrap"))
    assert caught.value.code == "media.unsupported"


def test_a_huge_canvas_is_too_large(tmp_path: Path) -> None:
    data = bytearray(gif(tmp_path / "a.gif", [50, 50]).read_bytes())
    data[6:10] = struct.pack("<HH", 10_000, 10_000)
    (tmp_path / "b.gif").write_bytes(data)

    with pytest.raises(MediaRejected) as caught:
        probed(tmp_path / "b.gif", SandboxedRunner("bwrap"))
    assert caught.value.code == "media.too_large"
