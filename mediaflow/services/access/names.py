"""Names of local users: one way to write each (RFC 8265, UsernameCaseMapped), in one script.

`Admin`, `ADMIN` and `admin` are one name; `admin ` is none, nor is one with a Cyrillic letter among Latin ones. What
begins with `~` is somebody of an outside issuer (`outside.py`) and never a local name.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, Final

from mediaflow.domain.errors import InvalidInput

MAX_USER_CHARACTERS: Final = 200
ADMIN: Final = "admin"
"""The user as whom the operator of this machine acts."""
OUTSIDE_MARK: Final = "~"
"""Begins the ids of users of an outside issuer."""
_TOGETHER: Final = frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "BOPOMOFO", "HANGUL"})
"""Scripts that are really written together (UTS 39 section 5.2, "highly restrictive")."""
_LOOK_LIKE: Final[Mapping[str, str]] = {
    # Cyrillic, Greek and Armenian letters, and rare Latin ones, beside the ASCII letters that they are taken for
    **dict(zip("асԁеһіјӏорԛѕуѵԝхвкмнтпгиь", "acdehijlopqsyvwxbkmhtnrub", strict=True)),
    **dict(zip("αονρτυχκιγεηωβσμ", "aovptuxkiyenwbou", strict=True)),
    **dict(zip("օսհոցյզռ", "ouhngjqn", strict=True)),
    **dict(zip("ɑıɡȷĸɩǀᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "aigjkilabcdefghijklmnoprstuvwyz", strict=True)),
}
"""A part of UTS 39's confusables, by people's eyes: names that are taken are all that it is compared with."""


@lru_cache(4096)
def local_name(text: str) -> str:
    """The one way to write the name; InvalidInput with the reason when it can be nobody's."""
    if not 0 < len(text) <= MAX_USER_CHARACTERS:  # first: what follows is for names, not for books
        raise bad_name(text, f"it must have 1 to {MAX_USER_CHARACTERS} characters")
    try:
        name: str = _profile().enforce(text)
    except UnicodeEncodeError as error:
        raise bad_name(text, _reason(text, error)) from error
    scripts = _scripts(name)
    if len(scripts) > 1 and not scripts <= _TOGETHER:
        mixed = " and ".join(sorted(script.capitalize() for script in scripts))
        raise bad_name(text, f"it mixes letters of several scripts ({mixed}), which look alike")
    if ascii_twin(name) == ADMIN:
        raise bad_name(text, f"it looks like {ADMIN!r}")
    if name.startswith(OUTSIDE_MARK):
        raise bad_name(text, f"`{OUTSIDE_MARK}` begins the ids of users of an outside issuer")
    if len(name) > MAX_USER_CHARACTERS:
        raise bad_name(text, f"written as names are it has more than {MAX_USER_CHARACTERS} characters")
    return name


def is_local_name(text: str) -> bool:
    """True for a name that is written in the one way."""
    try:
        return local_name(text) == text
    except InvalidInput:
        return False


def ascii_twin(name: str) -> str | None:
    """The ASCII name that people would read; None when they would not, or when it is that name itself."""
    twin = "".join(_LOOK_LIKE.get(character, character) for character in name)
    return twin if twin.isascii() and twin != name else None


def bad_name(text: str, reason: str) -> InvalidInput:
    """What is said of a name that nobody can have."""
    return InvalidInput(f"{text[:50]!r} is no user name: {reason}", code="auth.bad_user")


@cache
def _profile() -> Any:
    # here: its tables of Unicode take 8 ms, which commands that name nobody need not pay
    from precis_i18n import get_profile

    return get_profile("UsernameCaseMapped")


def _reason(text: str, error: UnicodeEncodeError) -> str:
    kind = error.reason.rpartition("/")[2].replace("_", " ")
    if kind == "bidi rule":
        return "it mixes directions of writing"
    if kind == "spaces":
        return "it must have no spaces"
    wrong = error.object[error.start : error.start + 1] or text[:1]
    return f"U+{ord(wrong):04X} is no character of names ({kind})" if wrong else f"it is none ({kind})"


def _scripts(name: str) -> set[str]:
    """The scripts of the letters, by their Unicode names: Python has no table of scripts. Marks belong to any."""
    letters = (character for character in name if unicodedata.category(character).startswith("L"))
    return {unicodedata.name(letter, "UNKNOWN").partition(" ")[0] for letter in letters}
