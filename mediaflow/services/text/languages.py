"""Languages by their tags (BCP 47): checked, in canonical form, and by name. Names are CLDR's."""

from __future__ import annotations

import re
from typing import Final

import langcodes

from mediaflow.domain.errors import InvalidInput, Problem

LONGEST_TAG: Final = 35
"""RFC 5646, section 4.4.1: no tag without private use needs more."""
_FORM: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_NO_LANGUAGE: Final = frozenset(("und", "zxx", "mul", "mis"))
"""ISO 639-2's codes for: unknown, none, several, one without a code."""
UNKNOWN: Final = "und"
"""What captions may be in, where nobody says which language it is (BCP 47 asks for silence; a list asks for a key)."""


def canonical_language(tag: str) -> str:
    """The tag in canonical form: `EN-us` -> `en-US`, `ger` -> `de`. InvalidInput for what is none."""
    found = known_language(tag)
    if found is None:
        detail = f"must be a language's tag (BCP 47) such as `en`, `pt-BR` or `zh-Hant`, not {tag[:40]!r}"
        problem = Problem("captions.bad_language", detail, "/language")
        raise InvalidInput(f"The language {detail}.", code="captions.bad_language", problems=(problem,))
    return found


def captions_language(tag: str) -> str:
    """The same of captions, whose language may be `UNKNOWN`."""
    return known_captions_language(tag) or canonical_language(tag)


def known_captions_language(tag: str) -> str | None:
    """The same; None when it is neither a language nor `UNKNOWN`."""
    return UNKNOWN if tag.lower() == UNKNOWN else known_language(tag)


def captions_label(tag: str) -> str:
    """What menus call captions in that language if nobody says it."""
    return "Captions" if tag == UNKNOWN else language_name(tag)


def known_language(tag: str | None) -> str | None:
    """The tag in canonical form; None when it names no language."""
    if tag is None or len(tag) > LONGEST_TAG or not _FORM.fullmatch(tag):
        return None
    try:
        if not langcodes.tag_is_valid(tag):
            return None
        canonical = langcodes.standardize_tag(tag)
    except ValueError:
        return None
    return None if canonical.partition("-")[0] in _NO_LANGUAGE or not _FORM.fullmatch(canonical) else canonical


def language_name(tag: str) -> str:
    """What the language's speakers call it (`Deutsch`, `português (Brasil)`), with a capital; else the tag."""
    language = langcodes.Language.get(tag)
    if language.language_name().startswith("Unknown language"):
        return tag
    name = language.autonym()
    return name[:1].upper() + name[1:]
