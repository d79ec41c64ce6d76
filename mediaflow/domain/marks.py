"""Combining marks: how many of them in a row are text.

Normalising sorts each run of marks, in a time that grows with the square of its length (80 KB took 2.9 s), and holds
Python's lock meanwhile. So runs are cut before anything is normalised.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

MOST_MARKS: Final = 30
"""UAX #15, section 13 (Stream-Safe Text Format): no writing of any language has more after one letter."""
_FIRST: Final = "\u0300"
"""No character before it is a mark."""


def with_few_marks(text: str) -> str:
    """The text with at most `MOST_MARKS` marks in a row, so that normalising takes a time linear in its length."""
    if text.isascii():
        return text
    kept: list[str] = []
    run = 0
    for character in text:
        run = run + 1 if character >= _FIRST and _is_mark(character) else 0
        if run <= MOST_MARKS:
            kept.append(character)
    return "".join(kept)


@lru_cache(maxsize=4096)
def _is_mark(character: str) -> bool:
    """True for what sorting moves: marks, and characters that stand for nothing but marks (U+0F73, U+FF9E)."""
    return unicodedata.combining(unicodedata.normalize("NFKD", character)[0]) != 0
