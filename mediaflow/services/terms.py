"""The terms in which records are asked for and changed, besides plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Increment:
    """A change that adds to a field instead of setting it."""

    by: float = 1


@dataclass(frozen=True, slots=True)
class Put:
    """A change that sets members of an object and leaves its others as they are.

    Their names are letters, digits, `_` and `-`.
    """

    members: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Drop:
    """A change that takes members out of an object, those that are there, and leaves its others as they are."""

    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """What a numeric field adds up to over so many records."""

    total: float
    count: int


@dataclass(frozen=True, slots=True)
class OneOf:
    """A condition that holds when the field has one of the values."""

    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Below:
    """A condition that holds when the field is a number smaller than `value`."""

    value: float


@dataclass(frozen=True, slots=True)
class Between:
    """A condition that holds when the field is a number of at least `least` and below `below`; None: no such bound.

    A field that is None is not between anything, not even without bounds.
    """

    least: float | None = None
    below: float | None = None


@dataclass(frozen=True, slots=True)
class After:
    """A condition that holds when the field is a text that comes after `value`, in the order of code points.

    With a sort by that field it makes pages that cost the same however far they are.
    """

    value: str


@dataclass(frozen=True, slots=True)
class Contains:
    """A condition that holds when the field is a list with `value` among its elements."""

    value: str


@dataclass(frozen=True, slots=True)
class HasPrefixes:
    """A condition that holds when the field is a list of texts and each prefix begins at least one of its elements."""

    prefixes: tuple[str, ...]
