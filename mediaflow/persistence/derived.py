"""Fields that follow from others of the same record, and are made up for documents that are older than they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from mediaflow.services.text.search import SEARCHED, words_of


@dataclass(frozen=True, slots=True)
class Derived:
    """`field` is `make(*sources)`, a list of texts."""

    field: str
    sources: tuple[str, ...]
    make: Callable[..., list[str]]


DERIVED: Final[Mapping[str, tuple[Derived, ...]]] = {
    "assets": (Derived("search", SEARCHED, words_of),),
}
"""By table."""
