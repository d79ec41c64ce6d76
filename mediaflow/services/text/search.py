"""The words that assets are found by: kept in the asset when it is written, so that a database finds them by an index.

A text's words and a query's go through the same normalisation: compatibility forms, case and Latin accents make no
difference. A query's words are prefixes ("hol" finds "Holiday"), and all of them must be there, in any order.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

from mediaflow.domain.marks import with_few_marks

SEARCHED: Final = ("title", "description", "tags")
"""The fields of an asset that `words_of` takes."""
MAX_WORDS: Final = 500
"""Words kept of one asset. Each is an entry of an index, rewritten with each change of the metadata. Title and tags
come first, so that only the end of a description of several pages is not searched.
"""
MAX_WORD_CHARACTERS: Final = 32
"""Longer words are cut, in texts and queries alike: what begins with the same 32 characters is the same word."""
MAX_QUERY_WORDS: Final = 12
"""Words of one query: each costs a look into the index, and more of them find nothing more."""

_ACCENTS: Final = re.compile("[\u0300-\u036f]")
"""Combining marks of Latin, Greek and Cyrillic. Those of other scripts are vowels or change the letter: they stay."""
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff]+"
)
"""Runs of scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, Kana, Han."""


def words_of(title: str, description: str, tags: Iterable[str]) -> list[str]:
    """The different words of an asset, those of title and tags first; at most `MAX_WORDS`."""
    found: dict[str, None] = {}
    for text in (title, *tags, description):
        for run in _runs(text):
            found.update(dict.fromkeys(_entries(run)))
            if len(found) >= MAX_WORDS:
                return list(found)[:MAX_WORDS]
    return list(found)


def prefixes_of(query: str) -> list[str]:
    """What a query's words begin with; none when it has no letter or digit. One that another implies is left out."""
    wanted = dict.fromkeys(prefix for run in _runs(query) for prefix in _asked(run))
    return [each for each in wanted if not any(other != each and other.startswith(each) for other in wanted)]


def _runs(text: str) -> Iterator[str]:
    """Normalised runs of letters and digits, each of one kind: with spaces between words, or without."""
    for run in _split(_normalised(text)):
        begin = 0
        for match in _UNSPACED.finditer(run):
            if match.start() > begin:
                yield run[begin : match.start()]
            yield match[0]
            begin = match.end()
        if begin < len(run):
            yield run[begin:]


def _normalised(text: str) -> str:
    # here too: what was kept before marks were counted is read again when a database is migrated
    folded = unicodedata.normalize("NFKC", with_few_marks(text)).casefold()
    bare = _ACCENTS.sub("", unicodedata.normalize("NFD", folded))
    return unicodedata.normalize("NFKC", bare)


def _split(text: str) -> Iterator[str]:
    """At everything that is no letter, digit or mark: a mark (`M*`) is part of the letter before it."""
    yield from "".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in text).split()


def _entries(run: str) -> list[str]:
    """What is kept of a run. Where words are not told apart, each pair of characters: a query can begin anywhere."""
    if _UNSPACED.match(run):
        return [run[at : at + 2] for at in range(len(run))]
    return [run[:MAX_WORD_CHARACTERS]]


def _asked(run: str) -> list[str]:
    """What must be there for a run of a query."""
    if _UNSPACED.match(run):
        return [run[at : at + 2] for at in range(len(run) - 1)] or [run]
    return [run[:MAX_WORD_CHARACTERS]]
