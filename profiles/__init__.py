"""The built-in profiles."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable

from mediaflow.plugin import hookimpl

MEDIAFLOW_API = ">=1.0,<2"
"""The versions of the plugin API that this was made for."""


@hookimpl(trylast=True)
def mediaflow_register_profiles() -> Iterable[Traversable]:
    """Every `*.yaml` of this package."""
    return sorted(
        (file for file in files(__name__).iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name
    )
