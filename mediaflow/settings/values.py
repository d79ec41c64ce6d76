"""Values of settings, read from text: typed, within their bounds, nothing guessed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from mediaflow.domain.errors import ConfigurationError
from mediaflow.plugin import SettingSpec

PREFIX: Final = "MEDIAFLOW_"
MIN_KEY_BYTES: Final = 32
"""RFC 7518 section 3.2: a key of HS256 is at least as long as the hash."""


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def parse_value(spec: SettingSpec, text: str) -> Any:
    """The typed value that a text means. Nothing is guessed: `1`, `yes` and `True` are no booleans, ` 80` is no number.

    Raises ConfigurationError with the variable, the value (never a secret one) and what was expected.
    """
    value = PARSERS[spec.type](text)
    if value is None or not _allowed(spec, value):
        raise ConfigurationError(f"{variable_of(spec.name)} is {_shown(spec, text)}; it must be {_expected(spec)}")
    if spec.name == "jwt_key" and 0 < len(text.encode()) < MIN_KEY_BYTES:
        raise ConfigurationError(
            f"{variable_of(spec.name)} has {len(text.encode())} bytes; a key must have at least {MIN_KEY_BYTES} "
            "(`openssl rand -hex 32` makes one), or leave it empty to have one made in the data directory"
        )
    return value


PARSERS: Final[Mapping[type, Any]] = {
    str: str,
    bool: {"true": True, "false": False}.get,
    int: lambda text: int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None,
    float: lambda text: float(text) if re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", text) else None,
}
_NOUNS: Final[Mapping[type, str]] = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}


def _allowed(spec: SettingSpec, value: Any) -> bool:
    if spec.choices and value not in spec.choices:
        return False
    low = -math.inf if spec.minimum is None else spec.minimum
    high = math.inf if spec.maximum is None else spec.maximum
    return spec.type not in (int, float) or low <= value <= high


def _expected(spec: SettingSpec) -> str:
    if spec.choices:
        return "one of " + ", ".join(str(choice) for choice in spec.choices)
    bounds = [f"at least {spec.minimum}"] if spec.minimum is not None else []
    bounds += [f"at most {spec.maximum}"] if spec.maximum is not None else []
    return _NOUNS[spec.type] + (", " + " and ".join(bounds) if bounds else "")


def _shown(spec: SettingSpec, text: str) -> str:
    return "set to something else (it is secret and not shown)" if spec.secret else repr(text[:100])
