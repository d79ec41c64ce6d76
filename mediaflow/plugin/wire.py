"""Values to JSON and back: frozen dataclasses, tuples, `Fraction` as "30000/1001". Unknown members are errors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, Final, TypeVar

from cattrs.gen import make_dict_structure_fn
from cattrs.preconf.json import make_converter

from mediaflow.domain.media import PictureGroups

T = TypeVar("T")

_converter: Final = make_converter(forbid_extra_keys=True)
_converter.register_unstructure_hook(Fraction, lambda value: f"{value.numerator}/{value.denominator}")
_converter.register_structure_hook(Fraction, lambda value, _: Fraction(value))
_groups: Final = make_dict_structure_fn(PictureGroups, _converter, _cattrs_forbid_extra_keys=True)
# before segments of different lengths a document had one length of all groups, which nobody asks for any more
_converter.register_structure_hook(PictureGroups, lambda data, kind: _groups(data, kind) if "begins" in data else None)


def get_ready(*kinds: type) -> None:
    """Make the functions that these kinds are dumped and loaded with, which takes 5 to 10 ms each when first used."""
    for kind in kinds:
        _converter.get_unstructure_hook(kind)
        _converter.get_structure_hook(kind)


def dump(value: Any) -> Any:
    """A value as JSON types."""
    return _converter.unstructure(value)


def unfit_params(task: str, params: Mapping[str, Any]) -> str | None:
    """What is wrong with the parameters of a planned task, as the rest of a sentence; None when all are JSON."""
    for name, value in params.items():
        if (found := _no_json(value)) is not None:
            return f"planned {task!r} with a parameter {name!r} that is no JSON ({found}); see to_json"
    return None


def _no_json(value: Any) -> str | None:
    """What of a value is no JSON (a tuple becomes a list), None when all of it is."""
    if value is None or isinstance(value, (str, int)):
        return None
    if isinstance(value, float):
        return None if math.isfinite(value) else repr(value)
    inner: Iterable[Any]
    if isinstance(value, dict):
        strange = next((key for key in value if not isinstance(key, str)), None)
        inner = value.values()
        if strange is not None:
            return f"the key {strange!r:.100}"
    elif isinstance(value, (list, tuple)):
        inner = value
    else:
        return type(value).__name__
    return next((found for found in map(_no_json, inner) if found is not None), None)


def load(kind: type[T], data: Any) -> T:
    """The value of that type from JSON types; raises an exception of cattrs when the data has another shape."""
    return _converter.structure(data, kind)
