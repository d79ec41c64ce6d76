"""Why renditions are there or left out, and tasks made in parts or not: the sentences, a row each."""

from __future__ import annotations

import pytest

from mediaflow.domain.plan import RungChoice
from mediaflow.domain.planwords import why_audio, why_left_out, why_parts, why_video
from mediaflow.domain.profile import When


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (
            RungChoice("1080p", "source_is_smaller", 640, 360, other="360p"),
            "The picture is 640x360: 360p has all of it.",
        ),
        (
            RungChoice("480p", "no_gain", 700, 394, other="360p"),
            "At 700x394, the picture's own size, it has less than 1.2 times the pixels of 360p.",
        ),
        (RungChoice("722p", "alike", 1284, 722, other="720p"), "It would be 1284x722, almost as 720p."),
        (
            RungChoice("720p", "distorted", 1280, 6),
            "1280x6, in even numbers, would change the picture's shape by more than 1%.",
        ),
        (RungChoice("720p", "no_picture"), "The file has no picture."),
    ],
)
def test_why_a_rung_is_left_out(choice: RungChoice, expected: str) -> None:
    assert why_left_out(choice) == expected


@pytest.mark.parametrize(
    ("choice", "when", "expected"),
    [
        (RungChoice("720p", "smaller", made="720p"), "eager", "The picture made smaller; made in any case."),
        (
            RungChoice("1080p", "own_size", made="1080p", wished="on_demand"),
            "on_demand",
            "The picture's own size; made where somebody watches it.",
        ),
        (
            RungChoice("1080p", "own_size", made="1080p", wished="on_demand"),
            "eager",
            "The picture's own size; made in any case: of this file no part can be made by itself.",
        ),
        (
            RungChoice("360p", "smaller", made="360p", smallest=True),
            "eager",
            "The picture made smaller; the smallest one is made first.",
        ),
        (
            RungChoice("360p", "own_size", made="240p", wished="on_demand", smallest=True),
            "eager",
            "The picture's own size, in the place of the profile's 360p; the smallest one is made first, though the"
            " profile has it on demand.",
        ),
    ],
)
def test_why_a_picture_is_made_and_when(choice: RungChoice, when: When, expected: str) -> None:
    assert why_video(choice, when) == expected


def test_why_a_sound_is_made() -> None:
    assert why_audio(["720p", "480p"], "eager") == "The sound of 720p, 480p; made in any case."
    words = "The sound of 720p, as the file has it, cut into segments and not encoded; made in any case."
    assert why_audio(["720p"], "eager", copied=True) == words
    assert why_audio([], "eager") == "The sound, for the file has no picture; made in any case."


@pytest.mark.parametrize(
    ("segments", "makes_tracks", "opens", "when", "expected"),
    [
        (15, True, False, "eager", "Any run of its 15 segments can be made by itself; made in any case."),
        (
            15,
            True,
            False,
            "on_demand",
            "Any run of its 15 segments can be made by itself; made where somebody watches it.",
        ),
        (0, True, True, "eager", "Viewers begin with it; others make all that it makes."),
        (
            0,
            True,
            False,
            "eager",
            "Its step makes it from the beginning to the end: of this file it makes no part by itself.",
        ),
        (0, False, False, "eager", "It makes no segments."),
    ],
)
def test_why_a_task_is_made_in_parts(segments: int, makes_tracks: bool, opens: bool, when: When, expected: str) -> None:
    assert why_parts(segments=segments, makes_tracks=makes_tracks, opens=opens, when=when) == expected
