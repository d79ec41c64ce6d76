"""Which source is its own largest rendition: a row for each rule, and the grid that comes of it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from mediaflow.domain.ladder import plan_encode
from mediaflow.domain.media import MediaInfo, PictureGroups
from mediaflow.domain.profile import Profile, Rung
from tests.source_facts import AUDIO, VIDEO

LADDER = (Rung("1080p", 1080, 9_000_000, 192_000), Rung("360p", 360, 1_000_000, 96_000))
PROFILE = Profile("copies", "", 4.0, 60, LADDER, (), ("hls",), copies=True)
GROUPS = PictureGroups(48, 250, Fraction(25), 5_000_000, 1_200_000)
MEDIA = MediaInfo("video", "mov,mp4,m4a,3gp,3g2,mj2", 6_000_000, 10.0, 10.0, 0.0, 2, VIDEO, AUDIO)


def media(groups: PictureGroups | None = GROUPS, **changes: Any) -> MediaInfo:
    return replace(MEDIA, video=replace(VIDEO, groups=groups, **changes))


def test_what_fits_is_its_own_largest_rendition_on_a_grid_of_its_groups() -> None:
    plan = plan_encode(media(), PROFILE)

    assert [(each.name, each.copied) for each in plan.video] == [("1080p", True), ("360p", False)]
    assert plan.grid is not None
    assert plan.grid.segment_frames == 96
    assert plan.segment_seconds == Fraction(96, 25)
    assert plan.not_copied is None


@pytest.mark.parametrize(
    ("frames", "segment"), [(25, 100), (12, 96), (30, 90), (50, 100), (150, 150), (151, None), (1, 100), (60, 120)]
)
def test_segments_are_whole_groups_about_as_long_as_wished(frames: int, segment: int | None) -> None:
    groups = replace(GROUPS, frames=frames, most_bytes=frames * 20_000)
    plan = plan_encode(media(groups, frame_count=250), PROFILE)

    assert plan.grid is not None
    assert plan.video[0].copied == (segment is not None)
    assert plan.grid.segment_frames == (segment or 100)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (media(None), "no key frames at equal distances"),
        (media(pixel_format="yuv422p10le"), "not every player"),
        (media(pixel_format="yuvj420p"), "not every player"),
        (media(color_range="pc"), "not every player"),
        (media(color_transfer="smpte2084"), "not every player"),
        (media(field_order="tt"), "not every player"),
        (media(rotation_degrees=180), "turn it"),
        (media(sample_aspect_ratio=Fraction(4, 3)), "in its shape"),
        (media(width=2560, height=1440), "larger than 1080p"),
        (media(replace(GROUPS, frame_rate=Fraction(2997, 120))), "not all as long"),
        (media(start_seconds=0.2), "does not begin"),
        (media(replace(GROUPS, frame_count=249)), "does not begin"),
        (media(replace(GROUPS, size_bytes=6_300_000)), "more bits"),
        (media(replace(GROUPS, most_bytes=2_200_000)), "more bits"),
        (media(replace(GROUPS, frames=160, most_bytes=3_000_000)), "too far apart"),
        (replace(media(), warnings=("The file ends early.",)), "no key frames"),
    ],
)
def test_what_does_not_fit_is_encoded_and_the_plan_says_why(changed: MediaInfo, why: str) -> None:
    plan = plan_encode(changed, PROFILE)

    assert not any(each.copied for each in plan.video)
    assert why in (plan.not_copied or "")


@pytest.mark.parametrize(
    "profile",
    [
        replace(PROFILE, copies=False),
        replace(PROFILE, ladder=LADDER[:1]),
        replace(PROFILE, ladder=(replace(LADDER[0], when="on_demand"), LADDER[1])),
    ],
)
def test_nothing_is_copied_where_nobody_wishes_it(profile: Profile) -> None:
    assert not any(each.copied for each in plan_encode(media(), profile).video)
