"""The hooks: what mediaflow finds through the entry point of setup.cfg."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable

from mediaflow.plugin import ManifestFormat, MediaContext, MediaInfo, Problem, SettingSpec, Step, hookimpl
from mediaflow_extras.m3u import FileLists
from mediaflow_extras.sound import Sound

MEDIAFLOW_API = ">=1.0,<2"


@hookimpl
def mediaflow_register_settings() -> Iterable[SettingSpec]:
    """The longest media that are taken."""
    return [SettingSpec("extras_max_seconds", int, 0, "Media of more seconds are refused; 0: none are.", minimum=0)]


@hookimpl
def mediaflow_validate_media(media: MediaInfo, context: MediaContext) -> Iterable[Problem]:
    """Refuse what is too long."""
    most: int = context.settings["extras_max_seconds"]
    if 0 < most < media.duration_seconds:
        detail = f"The file lasts {media.duration_seconds:.1f} s; at most {most} s are taken here."
        yield Problem("media.too_long", detail)


@hookimpl
def mediaflow_register_steps() -> Iterable[Step]:
    """The sound as a download."""
    return [Sound()]


@hookimpl
def mediaflow_register_manifests() -> Iterable[ManifestFormat]:
    """Lists of files."""
    return [FileLists()]


@hookimpl
def mediaflow_register_profiles() -> Iterable[Traversable]:
    """A profile with all of it."""
    return [files("mediaflow_extras") / "profiles" / "extras.yaml"]
