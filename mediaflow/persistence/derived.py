"""Fields that follow from others of the same record, and are made up for documents that are older than they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mediaflow.services.search import SEARCHED, words_of


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


def made_up(table: str, document: Mapping[str, Any]) -> dict[str, list[str]]:
    """The derived fields of a document, from what it has."""
    return {each.field: each.make(*(document[name] for name in each.sources)) for each in DERIVED.get(table, ())}
