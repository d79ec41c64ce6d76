"""Values to JSON and back: frozen dataclasses, tuples, `Fraction` as "30000/1001". Unknown members are errors."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final, TypeVar

from cattrs.preconf.json import make_converter

T = TypeVar("T")

_converter: Final = make_converter(forbid_extra_keys=True)
_converter.register_unstructure_hook(Fraction, lambda value: f"{value.numerator}/{value.denominator}")
_converter.register_structure_hook(Fraction, lambda value, _: Fraction(value))


def get_ready(*kinds: type) -> None:
    """Make the functions that these kinds are dumped and loaded with, which takes 5 to 10 ms each when first used."""
    for kind in kinds:
        _converter.get_unstructure_hook(kind)
        _converter.get_structure_hook(kind)


def dump(value: Any) -> Any:
    """A value as JSON types."""
    return _converter.unstructure(value)


def load(kind: type[T], data: Any) -> T:
    """The value of that type from JSON types; raises an exception of cattrs when the data has another shape."""
    return _converter.structure(data, kind)
