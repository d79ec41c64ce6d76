"""What x264 is told for each rendition."""

from __future__ import annotations

from typing import Any

import pytest

from mediaflow.plugin import VideoRendition
from mediaflow_ffmpeg.jobs import Encoder
from mediaflow_ffmpeg.x264 import crf, h264_options, lines
from tests.plugins.ffmpeg_media import MEDIA
from tests.plugins.test_ffmpeg_argv import video_job


def rendition(width: int, height: int) -> VideoRendition:
    return VideoRendition("it", width, height, 1_000_000, None)


@pytest.mark.parametrize(
    ("size", "count", "value"),
    [
        ((426, 240), 240, 16.5),
        ((640, 360), 360, 16.5),
        ((854, 480), 480, 17.5),
        ((1066, 600), 600, 18.5),
        ((1280, 720), 720, 19.5),
        ((1920, 1080), 1080, 21.0),
        ((2560, 1440), 1440, 22.0),
        ((1600, 900), 900, 20.2),
        ((3840, 2160), 2160, 24.0),
        ((7680, 4320), 4320, 24.0),
        # what is watched in the same box is as good
        ((1920, 800), 1080, 21.0),
        ((1080, 1920), 1080, 21.0),
        ((800, 1920), 1080, 21.0),
    ],
)
def test_the_fewer_lines_the_better_each_is_made(size: tuple[int, int], count: int, value: float) -> None:
    assert (lines(rendition(*size)), crf(Encoder(), rendition(*size))) == (count, value)


def test_a_crf_that_the_profile_names_is_that_of_every_size() -> None:
    assert [crf(Encoder(crf=28), rendition(*size)) for size in ((426, 240), (1920, 1080))] == [28, 28]


@pytest.mark.parametrize(
    ("params", "beside"),
    [
        ({"preset": "superfast"}, "aq-strength=0.6:mbtree=1:rc-lookahead=20:trellis=1"),
        ({"preset": "veryfast"}, "aq-strength=0.6:rc-lookahead=20:trellis=1"),
        # a tune knows of what is flat, and slower presets look further
        ({"preset": "veryfast", "tune": "grain"}, ""),
        ({"preset": "medium"}, ""),
    ],
)
def test_what_a_preset_lacks_is_put_beside_it(params: dict[str, Any], beside: str) -> None:

    told = h264_options(video_job(MEDIA, **params))["x264-params"]
    assert told == ":".join(["stitchable=1:chromaloc=0", *filter(None, [beside])])
