"""The way out of a misspelt name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

MAX_LISTED: Final = 12
"""More known names than this are no help in a sentence."""
LONGEST_NAME: Final = 200
"""Comparing takes a time that grows with the product of both lengths."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` when a known name is near, else the known ones in `; there is ...`, else nothing."""
    names = sorted(known)
    near = nearest(name, names)
    if near is not None:
        return f"; did you mean {near!r}?"
    return f"; there is {', '.join(map(repr, names))}" if 0 < len(names) <= MAX_LISTED else ""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that this one may be a slip of, or None. What is longer than any name is compared with none."""
    if len(name) > LONGEST_NAME:
        return None
    return next(iter(difflib.get_close_matches(name, list(known), n=1)), None)
