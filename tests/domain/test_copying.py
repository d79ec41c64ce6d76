"""Which source is its own largest rendition: a row for each rule, and the grid that comes of it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaflow.domain.copying import peak_bps, segments_of_groups
from mediaflow.domain.ladder import plan_encode
from mediaflow.domain.media import MediaInfo, PictureGroups
from mediaflow.domain.profile import Profile, Rung
from tests.source_facts import AUDIO, VIDEO

LADDER = (Rung("1080p", 1080, 9_000_000, 192_000), Rung("360p", 360, 1_000_000, 96_000))
PROFILE = Profile("copies", "", 4.0, 60, LADDER, (), ("hls",), copies=True)


def every(frames: int, count: int = 250, each: int = 20_000) -> PictureGroups:
    """Groups of so many frames, of so many bytes each."""
    begins = range(0, count, frames)
    return PictureGroups(tuple(begins), tuple(min(frames, count - at) * each for at in begins), count, Fraction(25))


GROUPS = every(48)
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
    ("frames", "segment"), [(25, 100), (12, 96), (30, 90), (50, 100), (150, 150), (151, 151), (1, 100), (60, 120)]
)
def test_segments_are_whole_groups_about_as_long_as_wished(frames: int, segment: int | None) -> None:
    plan = plan_encode(media(every(frames), frame_count=250), PROFILE)

    assert plan.grid is not None
    assert plan.video[0].copied == (segment is not None)
    assert plan.grid.segment_frames == (segment or 100)


@pytest.mark.parametrize(
    ("begins", "segments"),
    [
        # where scenes begin, and after ten seconds at the latest
        ((0, 30, 280, 310, 400), (0, 280, 400)),
        ((0, 90, 100, 190, 260), (0, 100, 190, 260)),
        ((0, 250), (0, 250)),
        # nothing is too short but the end
        ((0, 60, 120, 180, 240, 300, 360, 420, 490), (0, 120, 240, 360, 490)),
    ],
)
def test_the_grid_lists_segments_as_near_to_the_wished_length_as_groups_allow(
    begins: tuple[int, ...], segments: tuple[int, ...]
) -> None:
    groups = PictureGroups(begins, (1_000_000,) * len(begins), 500, Fraction(25))
    source = media(groups, frame_count=500, duration_seconds=20.0)
    source = replace(source, duration_seconds=20.0)

    plan = plan_encode(source, PROFILE, uneven=True)
    assert plan.grid is not None
    assert (plan.not_copied, plan.video[0].copied) == (None, True)
    assert tuple(plan.grid.first_frame(number) for number in range(plan.grid.segment_count)) == segments
    assert sum(plan.grid.frames_of(0, plan.grid.segment_count)) >= 500
    assert plan.video[0].max_bitrate_bps == peak_bps(groups, plan.grid)


@pytest.mark.parametrize(("each", "cap"), [(2_000, 166_667), (4_000, 191_913), (20_000, 959_567), (25_000, 1_000_000)])
def test_no_smaller_size_takes_more_than_it_can_add(each: int, cap: int) -> None:
    plan = plan_encode(media(every(48, each=each)), PROFILE)

    largest, smallest = plan.video
    assert largest.max_bitrate_bps == each * 25 * 8
    assert smallest.max_bitrate_bps == pytest.approx(cap, rel=0.01)


def test_who_does_not_ask_for_segments_of_different_lengths_has_none() -> None:
    groups = PictureGroups((0, 90, 200, 230), (900_000,) * 4, 250, Fraction(25))

    plan = plan_encode(media(groups), PROFILE)

    assert plan.grid is not None
    assert plan.grid.begins == ()
    assert "different distances" in (plan.not_copied or "")


@given(
    distances=st.lists(st.integers(13, 320), min_size=2, max_size=60),
    last=st.integers(1, 320),
    wished=st.sampled_from([1.0, 2.0, 4.0, 6.0, 10.0]),
)
def test_segments_begin_with_groups_and_are_neither_too_short_nor_too_long(
    distances: list[int], last: int, wished: float
) -> None:
    begins = (0, *accumulate(distances))
    count = begins[-1] + last
    found = segments_of_groups(PictureGroups(begins, (1,) * len(begins), count, Fraction(25)), wished)
    if found is None:
        return
    lengths = [after - before for before, after in pairwise([*found, count])]
    assert set(found) <= set(begins)
    assert all(wished * 0.5 * 25 <= each <= max(1.5 * wished, 12) * 25 for each in lengths[:-1])
    assert lengths[-1] <= max(1.5 * wished, 12) * 25


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (media(None), "no key frames"),
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
        (media(every(48, 249)), "does not begin"),
        (media(every(48, each=25_200)), "more bits"),
        (media(replace(GROUPS, sizes=(5_000_000, *GROUPS.sizes[1:]))), "more bits"),
        (media(every(301, 602), frame_count=602, duration_seconds=24.08), "too far apart"),
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
