"""Text of people: in one form, without what nobody sees, and without what turns it round."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from mediaflow.domain.marks import with_few_marks

BIDI_CONTROLS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They turn the reading direction: `gpj.exe` can be made to look like `exe.jpg`."""
KEPT_CONTROLS: Final = frozenset("\n\t")
VISIBLE: Final = (
    r"[^\u0000-\u0020\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f"
    r"\u2028-\u202f\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb]"
)
"""A character that people see (not white space, a control, a surrogate, or another of zero width)."""
_VISIBLE: Final = re.compile(VISIBLE)


def is_visible(text: str) -> bool:
    """True when something of it can be seen."""
    return _VISIBLE.search(text) is not None


def sanitised(text: str, *, lines: bool = False) -> str:
    """NFC without control characters, lone surrogates (they are no text) and turns of the reading direction.

    Of each run of combining marks only so many stay as a language can have (`domain.marks`).
    """
    kept = KEPT_CONTROLS if lines else frozenset[str]()
    clean = "".join(
        character
        for character in text
        if character in kept or (unicodedata.category(character) not in ("Cc", "Cs") and character not in BIDI_CONTROLS)
    )
    return unicodedata.normalize("NFC", with_few_marks(clean)).strip()
