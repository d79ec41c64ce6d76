"""The range of versions of the plugin API that a plugin was made for: `MEDIAFLOW_API = ">=1.0,<2"` beside its hooks."""

from __future__ import annotations

import re
from typing import Final

from mediaflow.plugin import API_VERSION, ConfigurationError
from mediaflow.registry.loading import DISABLED_VARIABLE, LoadedPlugin

ATTRIBUTE: Final = "MEDIAFLOW_API"
_BOUND: Final = re.compile(r"\s*(>=|<)\s*(\d{1,4}(?:\.\d{1,4})?)\s*")


def declared_range(plugin: LoadedPlugin) -> str | None:
    """What the plugin declares (None: nothing, then it is taken for any).

    Raises ConfigurationError, with the distribution, for what is no range and for one that this version is not in.
    """
    declared: object = getattr(plugin.content, ATTRIBUTE, None)
    if declared is None:
        return None
    text = declared if isinstance(declared, str) else ""
    bounds = [_BOUND.fullmatch(part) for part in text.split(",")]
    found = [bound for bound in bounds if bound is not None]
    if len(found) < len(bounds):
        raise ConfigurationError(
            f"{plugin.found}: {ATTRIBUTE} is {declared!r}; it must be a text like '>=1.0,<2',"
            " the versions of the plugin API that it was made for"
        )
    if not all(_holds(bound[1], bound[2]) for bound in found):
        raise ConfigurationError(
            f"{plugin.found} was made for version {text} of the plugin API, and this mediaflow has {API_VERSION};"
            f" install a version of {plugin.found.distribution} or of mediaflow that fits, or switch the plugin off"
            f" with {DISABLED_VARIABLE}={plugin.found.name}"
        )
    return text


def _holds(operator: str, version: str) -> bool:
    return (_numbers(API_VERSION) >= _numbers(version)) == (operator == ">=")


def _numbers(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return int(major), int(minor or 0)
