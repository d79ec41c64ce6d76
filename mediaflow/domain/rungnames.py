"""What renditions are called: by the lines that viewers know their sizes by. Pure; a table test has a row each."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Final

from mediaflow.domain.profile import Rung

Size = tuple[int, int]

FILM_ASPECT: Final = Fraction(14, 5)
"""No film is wider: Ultra Panavision 70 has 2.76:1, and a little for what was cropped. A film of 1920x800 fills the
width of a 16:9 screen and is called 1080p everywhere; 1280x360 (32:9, two pictures beside each other) is 720p to
nobody.
"""
_SCREEN: Final = Fraction(16, 9)


def lines_of(size: Size, source: Size) -> int:
    """The `p` of a picture in square pixels that was made of `source`, either way up.

    It is the short side, or for pictures wider than 16:9 the lines of the 16:9 screen whose width they fill. What is
    wider than `FILM_ASPECT` has only its short side. The source's shape decides, so that the even sizes of small
    renditions don't.
    """
    short, long = min(size), max(size)
    if Fraction(max(source), min(source)) > FILM_ASPECT:
        return short
    return max(short, round(long / _SCREEN))


def rendition_names(made: Iterable[tuple[Rung, Size]], source: Size) -> dict[str, str]:
    """The name of each rendition by its rung's, all different. `made` goes from the lowest to the highest.

    It is the rung's own where the picture fills the rung, else what the rendition really is (`240p`); its size
    (`1280x360`) where a lower one is called so.
    """
    names: dict[str, str] = {}
    for rung, size in made:
        lines = lines_of(size, source)
        # a side that is made even may lack one
        name = rung.name if lines >= rung.height - 1 else f"{lines}p"
        names[rung.name] = f"{size[0]}x{size[1]}" if name in names.values() else name
    return names
