"""The hooks: what mediaflow finds through the entry point of setup.cfg."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mediaflow.plugin import Event, MediaContext, Periodic, ServiceContext, SettingSpec, hookimpl
from mediaflow_diary.diary import note, page_of, write

if TYPE_CHECKING:
    from flask_smorest import Blueprint

MEDIAFLOW_API = ">=1.0,<2"


@hookimpl
def mediaflow_register_settings() -> Iterable[SettingSpec]:
    """How long a note waits."""
    return [SettingSpec("diary_seconds", int, 60, "So long after an asset is ready it is in the diary.", minimum=0)]


@hookimpl
def mediaflow_on_event(event: Event, context: MediaContext) -> None:
    """Note it."""
    note(event, context)


@hookimpl
def mediaflow_register_periodic() -> Iterable[Periodic]:
    """Write the notes down."""
    return [Periodic("diary.write", every_seconds=1, run=write, limit_seconds=30)]


@hookimpl
def mediaflow_register_blueprints(context: ServiceContext) -> Iterable[Blueprint]:
    """The caller's page."""
    from flask_smorest import Blueprint  # a worker needs none

    blueprint = Blueprint("diary", __name__, description="What became ready.")
    blueprint.route("/")(lambda: page_of(context))
    return [blueprint]
