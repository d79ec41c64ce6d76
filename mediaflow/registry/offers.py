"""What plugins offer, by name, each with the plugin that offers it. A name that is offered twice stops the start."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Generic, Protocol, TypeVar, runtime_checkable

from mediaflow.domain.errors import PluginFailed
from mediaflow.domain.suggest import suggestion
from mediaflow.domain.telling import is_code, is_pointer, sentence
from mediaflow.plugin import ConfigurationError, MetricSpec, Periodic, Problem, SettingSpec, StorageScheme
from mediaflow.registry.loading import BROKEN, FoundPlugin, failures_named
from mediaflow.settings import owned_specs

T = TypeVar("T")
_PERIODIC: Final = re.compile(r"[a-z][a-z0-9_.-]{0,59}")


@runtime_checkable
class Named(Protocol):
    """Anything with a name: a worker must not import Flask to know a Blueprint."""

    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """A line of `mediaflow plugins`: what a plugin is, which hooks it implements, and the names that it offers.

    `api` is the range of versions of the plugin API that it was made for (None: it declares none).
    """

    name: str
    distribution: str
    version: str
    api: str | None
    hooks: tuple[str, ...]
    steps: tuple[str, ...]
    manifests: tuple[str, ...]
    storages: tuple[str, ...]
    profiles: tuple[str, ...]
    settings: tuple[str, ...]
    metrics: tuple[str, ...]
    periodics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Offers(Generic[T]):
    """Things by name, and the names of the plugins that they are from."""

    things: Mapping[str, T]
    owners: Mapping[str, str]

    def of(self, plugin: str) -> tuple[str, ...]:
        """The names that this plugin offers."""
        return tuple(name for name, owner in self.owners.items() if owner == plugin)


def scheme_of(url: str, schemes: Mapping[str, StorageScheme]) -> StorageScheme:
    """The scheme that a storage URL is of. Raises ConfigurationError when no plugin offers it."""
    name = url.partition(":")[0]
    if name in schemes:
        return schemes[name]
    known = ", ".join(f"{scheme}:" for scheme in sorted(schemes)) or "none"
    raise ConfigurationError(
        f"MEDIAFLOW_STORAGE_URL begins with {name[:40]!r}, but the storage schemes that plugins offer are: {known}"
    )


def offers(what: str, offered: Iterable[tuple[FoundPlugin, T]], name_of: Callable[[T], str]) -> Offers[T]:
    """Frozen offers; `what` is `step`, `storage`, ... Two of one name raise ConfigurationError with both plugins."""
    things: dict[str, T] = {}
    owners: dict[str, FoundPlugin] = {}
    for plugin, thing in offered:
        name = name_of(thing)
        if name in owners:
            raise ConfigurationError(
                f"the {what} {name!r} is offered twice, by {owners[name]} and by {plugin}; "
                "uninstall one of them or switch it off with MEDIAFLOW_PLUGINS_DISABLED"
            )
        things[name], owners[name] = thing, plugin
    return Offers(MappingProxyType(things), MappingProxyType({name: owner.name for name, owner in owners.items()}))


def setting_specs(offered: Iterable[tuple[FoundPlugin, SettingSpec]]) -> tuple[tuple[str, SettingSpec], ...]:
    """Pairs of plugin and setting, as `settings.load_settings` takes them, each checked with its plugin's name."""
    checked = []
    for plugin, spec in offered:
        with failures_named(plugin, "mediaflow_register_settings"):
            owned_specs([(plugin.name, spec)])
        checked.append((plugin, spec))
    offers("setting", checked, lambda spec: spec.name)
    return tuple((plugin.name, spec) for plugin, spec in checked)


def metric_offers(offered: Iterable[tuple[FoundPlugin, MetricSpec]]) -> Offers[MetricSpec]:
    """The metrics by name, each with a name that is its plugin's own."""
    checked = [_checked_metric(plugin, spec) for plugin, spec in offered]
    return offers("metric", checked, lambda spec: spec.name)


def periodic_offers(offered: Iterable[tuple[FoundPlugin, Periodic]]) -> Offers[Periodic]:
    """Periodic work by name, each with a name that can be a label and times that can be kept."""
    checked = list(offered)
    for plugin, periodic in checked:
        if not isinstance(periodic.name, str) or not _PERIODIC.fullmatch(periodic.name):
            raise ConfigurationError(
                f"{plugin} offers the periodic work {periodic.name!r:.100}; its name must be words like 'mine.send'"
            )
        for what, least in (("every_seconds", 1), ("limit_seconds", 1)):
            seconds = getattr(periodic, what)
            if not isinstance(seconds, int | float) or not least <= seconds < float("inf"):
                raise ConfigurationError(
                    f"{plugin}: the periodic work {periodic.name!r} has {what}={seconds!r:.100}; it must be a number of"
                    f" at least {least}"
                )
    return offers("periodic work", checked, lambda periodic: periodic.name)


def check_commands(
    plugin: FoundPlugin, before: Mapping[str, object], after: Mapping[str, object], owners: dict[str, str]
) -> None:
    """Raises ConfigurationError when a plugin replaced a command; adds its new ones to `owners`."""
    for name, command in before.items():
        if after.get(name) is not command:
            raise ConfigurationError(f"{plugin} replaces the command {name!r} of {owners[name]}; rename it")
    owners |= dict.fromkeys(after.keys() - before.keys(), str(plugin))


def checked_problem(plugin: FoundPlugin, hook: str, problem: Problem) -> Problem:
    """The problem with a detail that can be told. Raises PluginFailed for a code or a pointer that is none."""
    fits = {
        "code": (is_code(problem.code), "lower-case words with dots between, as upload.too_long"),
        "detail": (isinstance(problem.detail, str), "text"),
        "pointer": (problem.pointer is None or is_pointer(problem.pointer), "a JSON pointer, as /filename, or None"),
    }
    for field, (fit, what) in fits.items():
        if not fit:
            value = getattr(problem, field)
            raise PluginFailed(
                f"{plugin}: {hook} answered a Problem whose {field} is {value!r:.100}; it must be {what}", code=BROKEN
            )
    return replace(problem, detail=sentence(problem.detail))


def checked_profile(plugin: FoundPlugin, name: object, profiles: Collection[str]) -> str:
    """The name that the plugin chose. Raises PluginFailed when no profile is called so."""
    if isinstance(name, str) and name in profiles:
        return name
    hint = suggestion(name[:100], profiles) if isinstance(name, str) else ""
    raise PluginFailed(
        f"{plugin}: mediaflow_choose_profile answered {name!r:.100}, but no profile is called so{hint}", code=BROKEN
    )


def _checked_metric(plugin: FoundPlugin, spec: MetricSpec) -> tuple[FoundPlugin, MetricSpec]:
    """Raises ConfigurationError for a metric whose name is not the plugin's own or does not end in its unit."""
    prefix = f"mediaflow_{re.sub(r'[^a-z0-9]', '_', plugin.name.lower())}_"
    if not re.fullmatch(re.escape(prefix) + r"[a-z0-9_]*[a-z0-9]", spec.name):
        raise ConfigurationError(f"{plugin} offers the metric {spec.name!r}; its name must start with {prefix!r}")
    if spec.kind == "counter" and not spec.name.endswith("_total"):
        raise ConfigurationError(f"{plugin} offers the counter {spec.name!r}; a counter's name ends in '_total'")
    return plugin, spec
