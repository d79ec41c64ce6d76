"""Checks of a step's parameters against a table, one sentence for each thing that is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Choice:
    """A parameter that takes one of some words."""

    name: str
    values: tuple[str, ...]

    def problem(self, value: Any) -> str | None:
        """What is wrong with the value, or None."""
        if isinstance(value, str) and value in self.values:
            return None
        return f"{value!r} is none of {', '.join(self.values)}"


@dataclass(frozen=True, slots=True)
class Number:
    """A parameter that takes a number from `least` to `most`, both included; `whole` allows integers only."""

    name: str
    least: float
    most: float
    whole: bool = False

    def problem(self, value: Any) -> str | None:
        """What is wrong with the value, or None. A bool is no number, text that looks like one neither."""
        number = isinstance(value, int) if self.whole else isinstance(value, int | float)
        if number and not isinstance(value, bool) and self.least <= value <= self.most:
            return None
        return f"{value!r} is not a {'whole ' if self.whole else ''}number from {self.least:g} to {self.most:g}"


@dataclass(frozen=True, slots=True)
class Switch:
    """A parameter that is true or false."""

    name: str

    def problem(self, value: Any) -> str | None:
        """What is wrong with the value, or None. `yes`, 1 and "true" are neither."""
        return None if isinstance(value, bool) else f"{value!r} is neither true nor false"


def problems(params: Mapping[str, Any], known: Sequence[Choice | Number | Switch]) -> Iterator[str]:
    """A sentence for each parameter that is unknown or has a value that it can't have."""
    by_name = {spec.name: spec for spec in known}
    for name, value in params.items():
        if name not in by_name:
            yield f"{name}: {_unknown(name, tuple(by_name))}"
        elif (wrong := by_name[name].problem(value)) is not None:
            yield f"{name}: {wrong}"


def _unknown(name: str, known: tuple[str, ...]) -> str:
    if not known:
        return "this step takes no parameters; remove it"
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    return f"no parameter has this name; {hint}"
