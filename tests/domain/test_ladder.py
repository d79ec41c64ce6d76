"""The planner's rules, a row each."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mediaflow.domain.ladder import fitted_size, output_frame_rate, plan_encode, rung_choices, segment_grid
from mediaflow.domain.media import AudioStream, MediaInfo, VideoStream
from mediaflow.domain.plan import Span
from mediaflow.domain.profile import Profile, Rung
from tests.source_facts import AUDIO, LADDER, VIDEO

WEB = Profile("web", "", 4.0, 60, LADDER, (), ("hls",))


def media(video: VideoStream | None = VIDEO, audio: AudioStream | None = AUDIO) -> MediaInfo:
    kind = "video" if video else "audio"
    return MediaInfo(kind, "mov,mp4", 1000, 10.0, 10.0, 0.0, 2, video, audio)  # type: ignore[arg-type]


def sized(width: int, height: int, sar: str = "1", rotation: int = 0) -> MediaInfo:
    return media(
        replace(VIDEO, width=width, height=height, sample_aspect_ratio=Fraction(sar), rotation_degrees=rotation)
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            sized(1920, 1080), "1080p 1920x1080, 720p 1280x720, 480p 854x480, 360p 640x360", id="the usual source"
        ),
        pytest.param(
            sized(3840, 2160), "1080p 1920x1080, 720p 1280x720, 480p 854x480, 360p 640x360", id="larger than the ladder"
        ),
        pytest.param(sized(1280, 720), "720p 1280x720, 480p 854x480, 360p 640x360", id="never upscaled"),
        pytest.param(
            sized(1920, 800), "1080p 1920x800, 720p 1280x534, 480p 854x356, 360p 640x266", id="cinema: width decides"
        ),
        pytest.param(
            sized(1440, 1080), "1080p 1440x1080, 720p 960x720, 480p 640x480, 360p 480x360", id="4:3: height decides"
        ),
        pytest.param(
            sized(1080, 1920), "1080p 1080x1920, 720p 720x1280, 480p 480x854, 360p 360x640", id="portrait: box turned"
        ),
        pytest.param(
            sized(1920, 1080, rotation=90),
            "1080p 1080x1920, 720p 720x1280, 480p 480x854, 360p 360x640",
            id="a phone held upright",
        ),
        pytest.param(
            sized(640, 360, sar="2"), "360p 1280x360, 240p 854x240, 180p 640x180", id="wide pixels, wider than any film"
        ),
        pytest.param(
            sized(1920, 696), "1080p 1920x696, 720p 1280x464, 480p 854x310, 360p 640x232", id="the widest film"
        ),
        pytest.param(
            sized(1920, 540), "540p 1920x540, 360p 1280x360, 240p 854x240, 180p 640x180", id="two pictures in one"
        ),
        pytest.param(
            sized(540, 1920), "540p 540x1920, 360p 360x1280, 240p 240x854, 180p 180x640", id="two above each other"
        ),
        pytest.param(
            sized(1800, 750), "1012p 1800x750, 720p 1280x534, 480p 854x356, 360p 640x266", id="a film of its own width"
        ),
        pytest.param(sized(1138, 480), "640p 1138x480, 480p 854x360, 360p 640x270", id="more than the rung below it"),
        pytest.param(sized(1080, 2400), "1080p 864x1920, 720p 576x1280, 480p 384x854, 360p 288x640", id="a tall phone"),
        pytest.param(
            sized(720, 576, sar="64/45"),
            "576p 1024x576, 480p 854x480, 360p 640x360",
            id="anamorphic PAL at its own size",
        ),
        pytest.param(
            sized(720, 480, sar="8/9", rotation=90), "480p 480x640, 360p 360x480", id="pixels before rotation"
        ),
        pytest.param(sized(642, 642), "642p 642x642, 480p 480x480, 360p 360x360", id="square"),
        pytest.param(sized(321, 181), "180p 320x180", id="odd sizes become even"),
        pytest.param(sized(320, 240), "240p 320x240", id="smaller than the ladder: what it is"),
        pytest.param(sized(700, 394), "360p 640x360", id="own size too near the next rung"),
        pytest.param(sized(2, 2), "2p 2x2", id="tiny"),
        pytest.param(sized(1, 1), "2p 2x2", id="the least that 4:2:0 allows"),
        pytest.param(sized(4000, 20), "10p 1920x10", id="thin: lower rungs would distort it"),
    ],
)
def test_sizes_keep_the_display_aspect_and_are_never_upscaled(source: MediaInfo, expected: str) -> None:
    plan = plan_encode(source, WEB)

    assert ", ".join(f"{r.name} {r.width}x{r.height}" for r in plan.video) == expected


@pytest.mark.parametrize(
    ("measured", "maximum", "expected"),
    [
        ("25", 60, "25"),
        ("60", 60, "60"),
        ("120", 60, "60"),
        ("240", 60, "60"),
        ("11988/100", 60, "60000/1001"),
        ("60", 30, "30"),
        ("50", 30, "25"),
        ("6001/100", 60, "60"),
        ("2997/100", 60, "30000/1001"),
        ("23976/1000", 60, "24000/1001"),
        ("29976/1000", 60, "30000/1001"),
        ("2752/100", 60, "688/25"),
        ("1234567/100000", 60, "247/20"),
        ("15", 60, "15"),
        ("1", 60, "5"),
        ("0", 60, "5"),
        ("90000", 60, "125/4"),
    ],
)
def test_the_frame_rate_is_kept_up_to_the_cap_and_rounded_to_a_usual_one(
    measured: str, maximum: int, expected: str
) -> None:
    rate = output_frame_rate(replace(VIDEO, frame_rate=Fraction(measured)), maximum)

    assert rate == Fraction(expected)


@pytest.mark.parametrize(
    ("rate", "frames", "seconds", "expected"),
    [
        (60, 72, 85_000, "1"),  # was 5,100,000 frames
        (60, 72, 1_000, "36/5"),
        (60, 3_000, 3_600, "60"),  # a screen that is recorded when it changes
        (60, 72, 1.2, "60"),
        (60, 2, 10, "60"),
        (5, 2, 7_200, "1"),
        (1, 72, 720, "5"),
    ],
)
def test_a_source_with_few_frames_for_its_length_gets_few(
    rate: int, frames: int, seconds: float, expected: str
) -> None:
    video = replace(VIDEO, frame_rate=Fraction(rate), frame_count=frames, duration_seconds=seconds)

    assert output_frame_rate(video, 60) == Fraction(expected)
    assert output_frame_rate(video, 60) * Fraction(seconds) <= max(1000, 100 * frames, seconds)


@pytest.mark.parametrize(
    ("rate", "segment_seconds", "frames", "seconds"),
    [
        ("25", 4.0, 100, "4"),
        ("30000/1001", 4.0, 120, "4004/1000"),
        ("24000/1001", 6.0, 144, "6006/1000"),
        ("1237/100", 4.0, 49, "4900/1237"),
    ],
)
def test_a_segment_is_a_whole_number_of_frames(rate: str, segment_seconds: float, frames: int, seconds: str) -> None:
    grid = segment_grid(replace(VIDEO, frame_rate=Fraction(rate)), 10.0, replace(WEB, segment_seconds=segment_seconds))

    assert (grid.segment_frames, grid.segment_seconds) == (frames, Fraction(seconds))
    assert grid.segment_count == -(-grid.frame_count // frames)


def test_a_silent_source_gets_video_only() -> None:
    plan = plan_encode(media(audio=None), WEB)

    assert plan.audio == ()
    assert {rendition.audio for rendition in plan.video} == {None}


def test_an_audio_source_gets_every_bit_rate_of_the_ladder_and_no_grid() -> None:
    plan = plan_encode(media(video=None), WEB)

    assert [(a.name, a.bitrate_bps) for a in plan.audio] == [
        ("audio-192k", 192_000),
        ("audio-128k", 128_000),
        ("audio-96k", 96_000),
    ]
    assert (plan.video, plan.grid, plan.spans, plan.segment_seconds) == ((), None, (), Fraction(4))


def test_only_audio_that_a_rendition_plays_with_is_made() -> None:
    plan = plan_encode(sized(854, 480), WEB)

    assert [a.name for a in plan.audio] == ["audio-128k", "audio-96k"]
    assert [r.audio for r in plan.video] == ["audio-128k", "audio-96k"]


def test_bit_rates_that_round_to_one_name_are_one_rendition() -> None:
    ladder = (replace(LADDER[0], audio_bitrate_bps=128_400), *LADDER[1:])

    plan = plan_encode(media(), replace(WEB, ladder=ladder))

    assert [(a.name, a.bitrate_bps) for a in plan.audio] == [("audio-128k", 128_400), ("audio-96k", 96_000)]


@pytest.mark.parametrize(
    ("channels", "rate", "expected"),
    [(1, 44100, (1, 44100)), (2, 48000, (2, 48000)), (6, 96000, (2, 48000)), (2, 8000, (2, 48000)), (0, 0, (1, 48000))],
)
def test_audio_is_at_most_stereo_at_a_rate_that_every_player_knows(
    channels: int, rate: int, expected: tuple[int, int]
) -> None:
    plan = plan_encode(media(audio=replace(AUDIO, channels=channels, sample_rate_hz=rate)), WEB)

    assert {(a.channels, a.sample_rate_hz) for a in plan.audio} == {expected}


def test_a_rung_that_the_source_does_not_fill_is_not_named_after_another_rung() -> None:
    ladder = (Rung("240p", 480, 1_000_000, 96_000),)

    plan = plan_encode(sized(320, 240), replace(WEB, ladder=ladder))

    assert [r.name for r in plan.video] == ["240p"]


def test_no_two_renditions_are_called_alike_whatever_the_rungs_are_called() -> None:
    ladder = (Rung("360p", 180, 600_000, 96_000), Rung("small", 720, 1_000_000, 96_000))

    plan = plan_encode(sized(640, 360), replace(WEB, ladder=ladder))

    assert [r.name for r in plan.video] == ["640x360", "360p"]


def test_a_second_codec_s_renditions_have_names_of_their_own_and_the_same_sound() -> None:
    plain, marked = plan_encode(sized(854, 480), WEB), plan_encode(sized(854, 480), WEB, suffix="av1")

    assert [r.name for r in marked.video] == [f"{r.name}-av1" for r in plain.video]
    assert [r.audio for r in marked.video] == [r.audio for r in plain.video]
    assert (marked.audio, marked.grid) == (plain.audio, plain.grid)


def test_the_whole_source_is_one_span() -> None:
    assert plan_encode(media(), WEB).spans == (Span(0, 0, None),)


sides = st.integers(min_value=1, max_value=8192)


@given(sides, sides, st.sampled_from([360, 480, 720, 1080, 2160]))
def test_a_fitted_size_is_even_inside_its_box_and_no_larger_than_the_source(width: int, height: int, rung: int) -> None:
    fitted = fitted_size((width, height), rung)

    assert all(side % 2 == 0 and side >= 2 for side in fitted)
    assert fitted[0] <= max(2, width)
    assert fitted[1] <= max(2, height)
    assert min(fitted) <= rung or max(fitted) <= rung * 16 / 9 + 2


@given(sides, sides)
@example(50, 6337)
def test_renditions_shrink_from_one_to_the_next_and_have_names_of_their_own(width: int, height: int) -> None:
    video = plan_encode(sized(width, height), WEB).video

    pixels = [r.width * r.height for r in video]
    assert pixels == sorted(set(pixels), reverse=True)
    assert len({r.name for r in video}) == len(video) >= 1
    lines = [int(r.name.removesuffix("p")) for r in video]
    assert lines == sorted(lines, reverse=True)
    aspects = [r.width / r.height for r in video]
    # sides are even: of a strip that is 16 pixels wide, rounding alone makes up to a sixteenth
    thinnest = min(min(r.width, r.height) for r in video)
    assert max(aspects) / min(aspects) < max(1.03, 1 + 2 / thinnest)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(sized(1920, 1080), "1080p own_size, 720p smaller, 480p smaller, 360p smaller", id="usual"),
        pytest.param(
            sized(640, 360),
            "1080p source_is_smaller 360p, 720p source_is_smaller 360p, 480p source_is_smaller 360p, 360p own_size",
            id="no larger than the lowest",
        ),
        pytest.param(
            sized(700, 394), "1080p no_gain 360p, 720p no_gain 360p, 480p no_gain 360p, 360p smaller", id="no gain"
        ),
        pytest.param(sized(4000, 20), "1080p smaller, 720p distorted, 480p distorted, 360p distorted", id="thin"),
        pytest.param(media(None), "1080p no_picture, 720p no_picture, 480p no_picture, 360p no_picture", id="sound"),
    ],
)
def test_every_rung_is_told_whether_it_is_made(source: MediaInfo, expected: str) -> None:
    choices = rung_choices(source, WEB)

    told = [
        f"{c.rung} {c.outcome} {'' if c.made or c.outcome == 'distorted' else c.other or ''}".strip() for c in choices
    ]
    assert ", ".join(told) == expected
    assert [c.made for c in choices if c.made] == [r.name for r in plan_encode(source, WEB).video]
    assert [c.smallest for c in choices if c.made][-1:] == [True] * (source.video is not None)


def test_two_rungs_that_would_be_almost_one_are_one() -> None:
    near = replace(WEB, ladder=(Rung("720p", 720, 2, 1), Rung("722p", 722, 2, 1)))

    assert [(c.rung, c.outcome, c.other) for c in rung_choices(sized(1920, 1080), near)] == [
        ("722p", "alike", "720p"),
        ("720p", "smaller", None),
    ]
