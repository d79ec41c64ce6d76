"""The hooks: what mediaflow finds through the entry point of setup.cfg."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable

from mediaflow.plugin import Step, hookimpl
from mediaflow_av1.step import Av1Video

MEDIAFLOW_API = ">=1.0,<2"


@hookimpl
def mediaflow_register_steps() -> Iterable[Step]:
    """The step."""
    return [Av1Video()]


@hookimpl
def mediaflow_register_profiles() -> Iterable[Traversable]:
    """A profile with both codecs."""
    return [files("mediaflow_av1") / "profiles" / "web-av1.yaml"]
