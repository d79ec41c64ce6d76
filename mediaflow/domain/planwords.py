"""Why a rendition is there or left out, and why a task is made in parts or not: every sentence that people get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mediaflow.domain.ladder import ASPECT_TOLERANCE, NATIVE_GAIN
from mediaflow.domain.plan import RungChoice, RungOutcome
from mediaflow.domain.profile import When

_LEFT_OUT: Final[dict[RungOutcome, str]] = {
    "source_is_smaller": "The picture is {width}x{height}: {other} has all of it.",
    "no_gain": f"At {{width}}x{{height}}, the picture's own size, it has less than {NATIVE_GAIN:g} times the pixels of"
    " {other}.",
    "alike": "It would be {width}x{height}, almost as {other}.",
    "distorted": f"{{width}}x{{height}}, in even numbers, would change the picture's shape by more than"
    f" {ASPECT_TOLERANCE:.0%}.",
    "no_picture": "The file has no picture.",
}
_WHEN: Final[dict[When, str]] = {"eager": "made in any case", "on_demand": "made where somebody watches it"}


def why_left_out(choice: RungChoice) -> str:
    """Why a rung of the profile is not made."""
    return _LEFT_OUT[choice.outcome].format(width=choice.width, height=choice.height, other=choice.other)


COPIED: Final = "The file's own pictures, cut into segments and not encoded; made in any case."


def why_encoded(why: str) -> str:
    """What keeps the file from being its own largest size, as `domain/copying.py` says it."""
    return f"The file is not cut as it is: {why}."


def why_video(choice: RungChoice, when: When, *, beside_copy: bool = False) -> str:
    """Why a picture is made, and why then: `when` it is made in the end. `beside_copy`, people begin with another."""
    size = "The picture's own size" if choice.outcome == "own_size" else "The picture made smaller"
    place = "" if choice.made == choice.rung else f", in the place of the profile's {choice.rung}"
    if choice.smallest:
        wished = ", though the profile has it on demand" if choice.wished == "on_demand" else ""
        return f"{size}{place}; {_WHEN[when] if beside_copy else f'the smallest one is made first{wished}'}."
    if choice.wished == "on_demand" and when == "eager":
        return f"{size}{place}; {_WHEN[when]}: of this file no part can be made by itself."
    return f"{size}{place}; {_WHEN[when]}."


def why_audio(heard_with: Sequence[str], when: When, *, copied: bool = False) -> str:
    """Why a sound is made; `heard_with` are the pictures that it belongs to. One that is `copied` is the file's own."""
    whose = f"The sound of {', '.join(heard_with)}" if heard_with else "The sound, for the file has no picture"
    if copied:
        whose += ", as the file has it, cut into segments and not encoded"
    return f"{whose}; {_WHEN[when]}."


def why_parts(*, segments: int, makes_tracks: bool, opens: bool, when: When) -> str:
    """Why a task is made in parts, or whole: of each of its tracks any run of `segments` can be made by itself."""
    if segments:
        return f"Any run of its {segments} segments can be made by itself; {_WHEN[when]}."
    if opens:
        return "Viewers begin with it; others make all that it makes."
    if makes_tracks:
        return "Its step makes it from the beginning to the end: of this file it makes no part by itself."
    return "It makes no segments."
