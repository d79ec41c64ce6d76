"""Colours: what a source becomes by plan, and what ffmpeg really writes."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mediaflow.plugin import StepSpec
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing.clips import run_ffmpeg
from mediaflow.testing.steps import SMALL_LADDER, probed, profile_of, run_task
from mediaflow_ffmpeg.colour import are_told, output_colours
from mediaflow_ffmpeg.video import H264Video
from tests.source_facts import VIDEO


@pytest.mark.parametrize(
    ("source", "matrix", "conversion"),
    [
        pytest.param({}, "bt709", "keep", id="untagged HD"),
        pytest.param({"width": 640, "height": 480}, "smpte170m", "keep", id="untagged SD"),
        pytest.param({"width": 720, "height": 576}, "bt470bg", "keep", id="untagged PAL"),
        pytest.param({"width": 720, "height": 1280}, "bt709", "keep", id="untagged portrait HD"),
        pytest.param({"color_space": "bt709", "height": 240}, "bt709", "keep", id="small, tagged"),
        pytest.param({"color_space": "smpte170m"}, "smpte170m", "keep", id="HD in BT.601"),
        pytest.param({"color_space": "smpte240m"}, "bt709", "matrix", id="an odd matrix"),
        pytest.param({"pixel_format": "gbrp10le"}, "bt709", "matrix", id="RGB"),
        pytest.param({"pixel_format": "gray"}, "bt709", "matrix", id="black and white"),
        pytest.param({"color_space": "bt2020nc"}, "bt709", "gamut", id="wide gamut"),
        pytest.param({"color_primaries": "smpte432"}, "bt709", "gamut", id="Display P3"),
        pytest.param({"color_transfer": "smpte2084"}, "bt709", "tonemap", id="HDR10"),
        pytest.param({"color_transfer": "arib-std-b67"}, "bt709", "tonemap", id="HLG"),
    ],
)
def test_the_colours_of_a_source_by_its_tags(source: dict[str, Any], matrix: str, conversion: str) -> None:
    colours = output_colours(replace(VIDEO, **source))

    assert (colours.matrix, colours.conversion) == (matrix, conversion)
    assert colours.transfer in ("bt709", "smpte170m")


@pytest.mark.parametrize(
    ("source", "size", "told"),
    [
        # players take all of them for BT.709, as they take the source
        pytest.param({}, (1920, 1080), False, id="untagged HD"),
        pytest.param({}, (1280, 720), False, id="a smaller HD"),
        pytest.param({}, (720, 1280), False, id="portrait"),
        # ... and this one for BT.601, which it is not
        pytest.param({}, (854, 480), True, id="SD of HD"),
        pytest.param({"width": 640, "height": 480}, (480, 360), False, id="SD of SD"),
        pytest.param({"color_space": "bt709"}, (1920, 1080), True, id="tagged"),
        pytest.param({"color_transfer": "smpte2084"}, (1920, 1080), True, id="converted"),
        pytest.param({"pixel_format": "gbrp"}, (1920, 1080), True, id="RGB"),
    ],
)
def test_what_a_source_does_not_tell_is_told_only_where_players_take_it_for_something_else(
    source: dict[str, Any], size: tuple[int, int], told: bool
) -> None:
    assert are_told(replace(VIDEO, **source), *size) is told


HDR_TAGS = "setparams=color_primaries=bt2020:color_trc={}:colorspace=bt2020nc:range=tv"
H264_10 = ("-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "high10", "-pix_fmt", "yuv420p10le")


@pytest.mark.parametrize(
    ("options", "suffix", "space"),
    [
        pytest.param(("-c:v", "libx264", "-pix_fmt", "yuvj420p"), "mp4", None, id="full range"),
        pytest.param(("-c:v", "libx264", "-pix_fmt", "yuv422p10le"), "mp4", None, id="10-bit 4:2:2"),
        pytest.param(("-c:v", "ffv1", "-pix_fmt", "bgr0"), "mkv", "bt709", id="RGB"),
        pytest.param(("-c:v", "ffv1", "-pix_fmt", "gray"), "mkv", "bt709", id="gray"),
        pytest.param((*H264_10, "-vf", HDR_TAGS.format("smpte2084")), "mp4", "bt709", id="HDR10"),
        pytest.param((*H264_10, "-vf", HDR_TAGS.format("arib-std-b67")), "mp4", "bt709", id="HLG"),
        pytest.param((*H264_10, "-vf", HDR_TAGS.format("bt2020-10")), "mp4", "bt709", id="wide gamut"),
    ],
)
def test_every_output_is_8_bit_limited_range_with_the_tags_that_it_needs(
    tmp_path: Path, options: tuple[str, ...], suffix: str, space: str | None
) -> None:
    source = tmp_path / f"source.{suffix}"
    run_ffmpeg(["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=0.4", *options, str(source)])

    stream = output_stream(source, tmp_path / "out")

    assert stream["pix_fmt"] == "yuv420p"
    # what says nothing of its colours has a picture of limited range (ITU-T H.264, E.2.1)
    told = [stream.get(f"color_{name}") for name in ("range", "space", "primaries")]
    assert told == (["tv", space, space] if space else [None, None, None])


def test_a_gray_of_full_range_keeps_its_brightness(tmp_path: Path) -> None:
    source = tmp_path / "source.mp4"
    full = ["-pix_fmt", "yuvj420p", "-color_range", "pc", "-c:v", "libx264", "-qp", "1"]
    run_ffmpeg(["-f", "lavfi", "-i", "color=gray:size=160x90:rate=25:duration=0.4", "-vf", "scale=out_range=pc", *full, str(source)])  # fmt: skip  # noqa: E501
    output_stream(source, tmp_path / "out")

    luma = mean_luma(tmp_path / "out" / "joined.mp4")

    # 128 of 0-255 is 126 of 16-235
    assert luma == pytest.approx(126, abs=2)


def output_stream(source: Path, directory: Path) -> dict[str, Any]:
    """Encode a source and tell what ffprobe says of the result, which lies at `joined.mp4`."""
    processes = SandboxedRunner("bwrap")
    media = probed(source, processes)
    step, spec = H264Video(), StepSpec("video.h264", {"preset": "ultrafast"})
    (planned,) = step.plan(media, spec, profile_of(spec, ladder=SMALL_LADDER))
    artifacts = run_task(step, planned, media, source, directory, processes)
    track = artifacts[0].track
    joined = directory / "joined.mp4"
    joined.write_bytes(b"".join((directory / a.path).read_bytes() for a in artifacts if a.track == track))
    argv = ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(joined)]
    found: dict[str, Any] = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)["streams"][0]
    return found


def mean_luma(file: Path) -> float:
    graph = "signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-"
    lines = run_ffmpeg(["-i", str(file), "-vf", graph, "-f", "null", "-"]).splitlines()
    values = [float(line.split("=")[1]) for line in lines if line.startswith("lavfi.")]
    return sum(values) / len(values)
