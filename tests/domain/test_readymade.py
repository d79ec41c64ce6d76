"""Sizes that are there already: which are taken as they are, what they are called, and where they are cut."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from mediaflow.domain.media import MediaInfo, PictureGroups, VideoStream
from mediaflow.domain.readymade import ReadyMade, ready_made
from tests.source_facts import AUDIO, VIDEO


def stream(height: int, begins: tuple[int, ...] = (0, 50, 100, 150, 200), **changes: Any) -> VideoStream:
    groups = PictureGroups(begins, (height * 1000,) * len(begins), 250, Fraction(25))
    width = height * 16 // 9
    return replace(VIDEO, index=height, width=width, height=height, groups=groups, **changes)


def media(*streams: VideoStream) -> MediaInfo:
    first, *others = streams
    return MediaInfo("video", "mov", 6_000_000, 10.0, 10.0, 0.0, 3, first, AUDIO, more_video=tuple(others))


def test_sizes_are_renditions_from_large_to_small_cut_where_all_have_key_frames() -> None:
    found = ready_made(media(stream(360, (0, 25, 100, 125, 200)), stream(1080), stream(720, (0, 100, 200))), 4.0)

    assert isinstance(found, ReadyMade)
    assert [each.name for each in found.renditions] == ["1080p", "720p", "360p"]
    assert found.streams == (1080, 720, 360)
    assert found.grid.begins == (0, 100, 200)
    # two groups of 1,080,000 bytes in four seconds
    assert found.renditions[0].max_bitrate_bps == 2 * 1_080_000 * 8 // 4
    assert {each.audio for each in found.renditions} == {"audio"}


def test_two_of_a_size_have_names_of_their_own_the_better_one_first() -> None:
    worse = stream(720)
    better = replace(worse, index=1, groups=PictureGroups((0, 100, 200), (9_000_000,) * 3, 250, Fraction(25)))

    found = ready_made(media(worse, better), 4.0)

    assert isinstance(found, ReadyMade)
    assert [(each.name, index) for each, index in zip(found.renditions, found.streams, strict=True)] == [
        ("720p", 1),
        ("720p-2", 720),
    ]


@pytest.mark.parametrize(
    ("streams", "why"),
    [
        ((stream(720), replace(stream(360), groups=None)), "no H.264 pictures with key frames"),
        ((stream(720), stream(360, field_order="tt")), "640x360 can't be taken as they are: not every player"),
        ((stream(720, rotation_degrees=90),), "players would not all turn it"),
        ((stream(720), replace(stream(360), width=480)), "another shape"),
        ((stream(720), stream(360, start_seconds=0.5)), "does not begin with the largest"),
        ((stream(720), stream(360, (0, 130))), "no common key frame every few seconds"),
        (
            (stream(720), replace(stream(360), groups=PictureGroups((0,), (1,), 249, Fraction(25)))),
            "it has 249 pictures, and the largest has 250",
        ),
        (
            (stream(720), replace(stream(360), groups=PictureGroups((0,), (1,), 250, Fraction(30)))),
            "not as long as those of the largest",
        ),
    ],
)
def test_what_is_no_other_size_of_the_film_is_told(streams: tuple[VideoStream, ...], why: str) -> None:
    grouped = [each for each in streams if each.groups is not None]
    cut = ready_made(media(*streams), 2.0 if why.startswith("no common") else 4.0)

    assert grouped
    assert isinstance(cut, str)
    assert why in cut
