"""The plugins: loaded, checked and frozen at start."""

# A Protocol as the argument of isinstance, typed: https://github.com/python/mypy/issues/4717
# mypy: disable-error-code="type-abstract"

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from importlib.metadata import EntryPoint
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

import structlog

from mediaflow.domain.containment import contained
from mediaflow.domain.errors import PluginFailed
from mediaflow.plugin import (
    ENTRY_POINT_GROUP,
    ConfigurationError,
    Event,
    EventReader,
    ManifestFormat,
    MediaContext,
    MediaflowError,
    MediaInfo,
    Metrics,
    MetricSpec,
    Periodic,
    Problem,
    Profile,
    Records,
    ServiceContext,
    SettingSpec,
    Step,
    Storage,
    StorageScheme,
    UploadDraft,
)
from mediaflow.registry.hooks import Hooks
from mediaflow.registry.loading import (
    FoundPlugin,
    failures_named,
    find_plugins,
    import_plugin,
)
from mediaflow.registry.offers import (
    Named,
    Offers,
    PluginInfo,
    check_commands,
    checked_problem,
    checked_profile,
    metric_offers,
    offers,
    periodic_offers,
    scheme_of,
    setting_specs,
)
from mediaflow.registry.profile_files import load_profiles
from mediaflow.settings import Settings, load_settings, visible_settings

if TYPE_CHECKING:
    import click
    from flask import Blueprint

ContextOf = Callable[[MediaContext], ServiceContext]
MOST_PROBLEMS: Final = 100
"""Of an upload: one is enough to refuse it, and nobody reads more."""
LISTENER_FAILURES = "mediaflow_event_listener_failures_total"


def installed() -> Iterable[EntryPoint]:
    """The entry points of plugins. Reads a file of every distribution that is installed."""
    return importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)


def load(
    environ: Mapping[str, str], entry_points: Callable[[], Iterable[EntryPoint]] = installed
) -> tuple[Settings, Registry]:
    """The settings of an environment and the plugins that are installed, checked against one another.

    Raises ConfigurationError with one sentence for whatever keeps the service from starting.
    """
    disabled = environ.get("MEDIAFLOW_PLUGINS_DISABLED", "")
    found = find_plugins(entry_points(), disabled)
    hooks = Hooks([import_plugin(plugin) for plugin in found])
    try:
        specs = setting_specs(hooks.items("mediaflow_register_settings", SettingSpec))
        settings = load_settings(environ, specs)
        return settings, Registry(hooks, settings, specs)
    except PluginFailed as error:
        raise ConfigurationError(error.detail) from error


class Registry:
    """What the plugins offer, by name and frozen, and every hook as a method. Implements `services.ports.Plugins`.

    `metric_specs` are for `observability.metrics`, `setting_specs` (with their plugins) for `settings.describe`.
    """

    def __init__(self, hooks: Hooks, settings: Settings, specs: tuple[tuple[str, SettingSpec], ...]) -> None:
        self._hooks = hooks
        self._log = structlog.get_logger("mediaflow.plugins")
        self._metrics: Metrics | None = None
        self.setting_specs: Final = specs
        hooks.contexts = {
            owner: MediaContext(visible_settings(settings, specs, owner), plugin=owner)
            for owner in (None, *(plugin.name for plugin in hooks.plugins))
        }
        self._steps = offers("step", hooks.items("mediaflow_register_steps", Step), lambda step: step.name)
        manifests = hooks.items("mediaflow_register_manifests", ManifestFormat)
        self._manifests = offers("manifest format", manifests, lambda manifest: manifest.name)
        storages = hooks.items("mediaflow_register_storages", StorageScheme)
        self._storages = offers("storage scheme", storages, lambda storage: storage.scheme)
        self._periodics = periodic_offers(hooks.items("mediaflow_register_periodic", Periodic))
        self._metric_offers = metric_offers(hooks.items("mediaflow_register_metrics", MetricSpec))
        self.steps: Final = self._steps.things
        self.manifests: Final = self._manifests.things
        self.storages: Final = self._storages.things
        self.periodics: Final = self._periodics.things
        self.metric_specs: Final = tuple(self._metric_offers.things.values())
        self._profiles = self._collect_profiles(settings)
        self.profiles: Final = self._profiles.things

    def use_metrics(self, metrics: Metrics) -> None:
        """Count there, for the plugins too. Called once, when the metrics were made from `metric_specs`."""
        self._metrics = metrics
        hooks = self._hooks
        hooks.contexts = {name: replace(context, metrics=metrics) for name, context in hooks.contexts.items()}

    def use_documents(self, events: EventReader, records_of: Callable[[str], Records]) -> None:
        """Let plugins read the log of events and keep records of their own there. Called once, as `use_metrics`."""
        hooks = self._hooks
        hooks.contexts = {
            name: context if name is None else replace(context, events=events, records=records_of(name))
            for name, context in hooks.contexts.items()
        }

    def context(self, plugin: str | None = None) -> MediaContext:
        """What a plugin may look at: every setting, but no secret other than its own (none at all without a name)."""
        return self._hooks.contexts[plugin]

    def entry_point_of_step(self, step: str) -> str:
        """The name of the plugin that offers a step."""
        return self._steps.owners[step]

    def owner_of_profile(self, name: str) -> str:
        """The plugin that offers a profile, or `OPERATOR`."""
        return self._profiles.owners[name]

    def plugin_of_manifest(self, name: str) -> str:
        """The name of the plugin that offers a manifest format."""
        return self._manifests.owners[name]

    def plugin_of_periodic(self, name: str) -> str:
        """The name of the plugin that offers a periodic work."""
        return self._periodics.owners[name]

    def run_periodic(self, name: str) -> None:
        """Do a periodic work once. PluginFailed, with the plugin's name, for whatever it raises."""
        owner = self._periodics.owners[name]
        with self.failures_named(owner, f"the periodic work {name!r}"):
            self.periodics[name].run(self.context(owner))

    def storage_scheme(self, url: str) -> StorageScheme:
        """The scheme that a storage URL is of. Raises ConfigurationError when no plugin offers it."""
        return scheme_of(url, self.storages)

    def open_storage(self, url: str, settings: Settings) -> Storage:
        """The storage of a URL. Raises ConfigurationError when the plugin does, PluginFailed for anything else."""
        scheme = self.storage_scheme(url)
        owner = self._storages.owners[scheme.scheme]
        with self.failures_named(owner, f"{scheme.scheme}: open"):
            return scheme.open(url, visible_settings(settings, self.setting_specs, owner))

    def startup(self) -> None:
        """Tell every plugin that this process starts; an exception undoes it and becomes a ConfigurationError."""
        started: set[str] = set()
        try:
            for plugin, _ in self._hooks.answers("mediaflow_startup"):
                started.add(plugin.name)
        except MediaflowError as error:
            self._shut_down(started)
            raise ConfigurationError(error.detail) from error

    def shutdown(self) -> None:
        """Tell every plugin that this process ends; exceptions are logged."""
        self._shut_down({plugin.name for plugin in self._hooks.plugins})

    def _shut_down(self, started: Collection[str]) -> None:
        for plugin, call in self._hooks.calls("mediaflow_shutdown"):
            try:
                if plugin.name in started:
                    with contained():
                        call()
            except Exception:  # noqa: BLE001 - one plugin's failure must not keep the others from ending in order
                self._log.exception("plugin_shutdown_failed", plugin=plugin.name)

    def validate_upload(self, upload: UploadDraft) -> list[Problem]:
        """All problems that plugins see in an announced upload."""
        return self._problems("mediaflow_validate_upload", upload=upload)

    def validate_media(self, media: MediaInfo, upload: UploadDraft) -> list[Problem]:
        """All problems that plugins see in a probed source."""
        return self._problems("mediaflow_validate_media", media=media, upload=upload)

    def _problems(self, hook: str, **arguments: Any) -> list[Problem]:
        found = self._hooks.items(hook, Problem, **arguments)
        return [checked_problem(plugin, hook, problem) for plugin, problem in found[:MOST_PROBLEMS]]

    def choose_profile(self, media: MediaInfo, upload: UploadDraft) -> str | None:
        """The first name that a plugin answers, or None when none does. PluginFailed when no profile is called so."""
        for plugin, name in self._hooks.answers("mediaflow_choose_profile", media=media, upload=upload):
            if name is not None:
                return checked_profile(plugin, name, self.profiles)
        return None

    def publish_event(self, event: Event) -> None:
        """Tell every listener. One that raises is logged and counted; the others hear of it all the same."""
        for plugin, call in self._hooks.calls("mediaflow_on_event", event=event):
            try:
                with contained():
                    call()
            except Exception:  # noqa: BLE001 - an observer can't hurt the work
                self._log.exception("event_listener_failed", plugin=plugin.name, event_name=event.name)
                if self._metrics is not None:
                    self._metrics.count(LISTENER_FAILURES, plugin=plugin.name)

    def blueprints(self, context_of: ContextOf | None = None) -> Offers[Blueprint]:
        """The plugins' blueprints by name, over contexts that `context_of` makes from the usual ones.

        Raises ConfigurationError for a name that is offered twice.
        """
        offered = self._hooks.items("mediaflow_register_blueprints", Named, context_of=context_of)
        return cast("Offers[Blueprint]", offers("blueprint", offered, lambda blueprint: blueprint.name))

    def failures_named(self, plugin: str, where: str) -> AbstractContextManager[None]:
        """Around a call of that plugin's code elsewhere: whatever it raises becomes a PluginFailed with its name."""
        return failures_named(self._plugin(plugin), where)

    def _plugin(self, name: str) -> FoundPlugin:
        return next(found for found in self._hooks.plugins if found.name == name)

    def register_commands(self, cli: click.Group, context_of: ContextOf | None = None) -> dict[str, str]:
        """Add the plugins' subcommands; see `blueprints`. Raises ConfigurationError for one whose name is taken.

        The answer is who offers each, as a part of a sentence, by the commands' names.
        """
        owners: dict[str, str] = dict.fromkeys(cli.commands, "mediaflow itself")
        before = dict(cli.commands)
        for plugin, _ in self._hooks.answers("mediaflow_register_commands", cli=cli, context_of=context_of):
            check_commands(plugin, before, cli.commands, owners)
            before = dict(cli.commands)
        return owners

    def listing(self) -> list[PluginInfo]:
        """Every plugin, sorted by name."""
        return [self._info(plugin) for plugin in self._hooks.plugins]

    def _collect_profiles(self, settings: Settings) -> Offers[Profile]:
        files = [(str(p), file) for p, file in self._hooks.items("mediaflow_register_profiles", Traversable)]
        owned = load_profiles(files, settings, self.steps, self.manifests)
        plugins = {str(plugin): plugin.name for plugin in self._hooks.plugins}
        profiles = MappingProxyType({name: profile for name, (_, profile) in owned.items()})
        return Offers(profiles, {name: plugins.get(owner, owner) for name, (owner, _) in owned.items()})

    def _info(self, plugin: FoundPlugin) -> PluginInfo:
        return PluginInfo(
            name=(name := plugin.name),
            distribution=plugin.distribution,
            version=plugin.version,
            api=self._hooks.ranges[name],
            hooks=self._hooks.of(name),
            steps=self._steps.of(name),
            manifests=self._manifests.of(name),
            storages=self._storages.of(name),
            profiles=self._profiles.of(name),
            settings=tuple(spec.name for owner, spec in self.setting_specs if owner == name),
            metrics=self._metric_offers.of(name),
            periodics=self._periodics.of(name),
        )
