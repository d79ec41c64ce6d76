"""From entry points to plugin objects, with one sentence that names the distribution for whatever is wrong.

pluggy's own loader skips a second entry point of the same name silently and lets ImportErrors fly bare: hence this one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, EntryPoint
from typing import Any

from mediaflow.domain.containment import WouldEndProcess, contained
from mediaflow.domain.errors import PluginFailed
from mediaflow.domain.suggest import suggestion
from mediaflow.domain.telling import cause
from mediaflow.plugin import ConfigurationError

DISABLED_VARIABLE = "MEDIAFLOW_PLUGINS_DISABLED"
BROKEN = "plugin.broken"
"""What it did it does again: it is not called once more for the same."""


@dataclass(frozen=True, slots=True)
class FoundPlugin:
    """An installed plugin, not imported yet. `name` is its entry point's."""

    name: str
    distribution: str
    version: str
    entry_point: EntryPoint

    def __str__(self) -> str:
        return f"the plugin {self.name!r} of {self.distribution} {self.version}"


@dataclass(frozen=True, slots=True)
class LoadedPlugin:
    """A plugin with what its entry point names: a module, or an object whose methods are hooks."""

    found: FoundPlugin
    content: object


def find_plugins(entry_points: Iterable[EntryPoint], disabled: str) -> list[FoundPlugin]:
    """The plugins of these entry points, sorted by name, without those that the comma-separated list names.

    Raises ConfigurationError when the list names one that is not there, or when two plugins have one name.
    """
    installed = [_found(entry_point) for entry_point in entry_points]
    off = _disabled(disabled, {plugin.name for plugin in installed})
    by_name: dict[str, FoundPlugin] = {}
    for plugin in installed:
        other = plugin if plugin.name in off else by_name.setdefault(plugin.name, plugin)
        if other is not plugin:
            raise ConfigurationError(
                f"two plugins are called {plugin.name!r}: {_place(other)} and {_place(plugin)}; uninstall one of them"
            )
    return [by_name[name] for name in sorted(by_name)]


def import_plugin(found: FoundPlugin) -> LoadedPlugin:
    """Import a plugin. Raises ConfigurationError whatever goes wrong in its code, a call of `sys.exit` included."""
    try:
        content = found.entry_point.load()
    except (Exception, SystemExit) as error:
        raise ConfigurationError(
            f"{found} ({found.entry_point.value}) can't be imported: {cause(error)}; "
            f"repair or uninstall it, or switch it off with {DISABLED_VARIABLE}={found.name}"
        ) from error
    if inspect.isclass(content):
        raise ConfigurationError(f"{found}: {found.entry_point.value} is a class; name a module or an instance")
    return LoadedPlugin(found, content)


def check_hooks(
    plugin: LoadedPlugin, implementations: Mapping[str, Mapping[str, Any]], specs: Mapping[str, Callable[..., Any]]
) -> None:
    """Compare a plugin's hooks with the specifications. `implementations` maps attribute names to pluggy's options.

    Raises ConfigurationError for a misspelt hook, for parameters that the specification does not have, for a wrapper,
    and for a function that is called like a hook and not marked as one.
    """
    for attribute, options in implementations.items():
        name = options.get("specname") or attribute
        if name in specs:
            _check_implementation(plugin, name, getattr(plugin.content, attribute), options, specs[name])
        elif not options.get("optionalhook"):
            raise ConfigurationError(f"{plugin.found} implements an unknown hook {name!r}{suggestion(name, specs)}")
    for name in specs:
        if name not in implementations and inspect.isroutine(getattr(plugin.content, name, None)):
            raise ConfigurationError(f"{plugin.found}: {name} is not marked; put @hookimpl above it")


@contextmanager
def failures_named(plugin: FoundPlugin, hook: str) -> Iterator[None]:
    """Whatever is raised inside leaves with the plugin's name, a call of `sys.exit` included."""
    try:
        with contained():
            yield
    except ConfigurationError as error:
        raise ConfigurationError(f"{plugin}: {error.detail}", code=error.code, problems=error.problems) from error
    except WouldEndProcess as error:
        raise PluginFailed(f"{plugin} failed in {hook}: {cause(error)}", code=BROKEN, plugin=plugin.name) from error
    except Exception as error:
        raise PluginFailed(f"{plugin} failed in {hook}: {cause(error)}", plugin=plugin.name, hook=hook) from error


def _check_implementation(
    plugin: LoadedPlugin, name: str, function: Callable[..., Any], options: Mapping[str, Any], spec: Callable[..., Any]
) -> None:
    if options.get("wrapper") or options.get("hookwrapper"):
        raise ConfigurationError(f"{plugin.found}: {name} is a wrapper; plugins can't wrap the hooks of others")
    known: Collection[str] = inspect.signature(spec).parameters
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name not in known:
            raise ConfigurationError(
                f"{plugin.found}: {name} takes {parameter.name!r}, which this hook does not have"
                + (suggestion(parameter.name, known) or "; it has no parameters")
            )


def _found(entry_point: EntryPoint) -> FoundPlugin:
    name, version = _named(entry_point.dist) if entry_point.dist else ("an unknown distribution", "0")
    return FoundPlugin(entry_point.name, name, version, entry_point)


@cache
def _named(distribution: Distribution) -> tuple[str, str]:
    """Name and version; each look at them reads and parses the whole METADATA, and the plugins of one share it."""
    metadata = distribution.metadata
    return metadata["Name"], metadata["Version"]


def _disabled(text: str, installed: Collection[str]) -> set[str]:
    names = {name.strip() for name in text.split(",") if name.strip()}
    for name in sorted(names.difference(installed)):
        hint = suggestion(name, installed)
        raise ConfigurationError(f"{DISABLED_VARIABLE} names {name!r}, but no plugin is called so{hint}")
    return names


def _place(plugin: FoundPlugin) -> str:
    return f"{plugin.entry_point.value} of {plugin.distribution} {plugin.version}"
