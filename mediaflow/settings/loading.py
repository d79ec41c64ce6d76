"""Settings read from an environment, checked, and shown to people and plugins; which there are says `table.py`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

from mediaflow.domain.suggest import nearest
from mediaflow.plugin import ConfigurationError, SettingSpec
from mediaflow.settings.table import Settings, core_specs
from mediaflow.settings.values import PARSERS, PREFIX, parse_value, variable_of

CORE: Final = "mediaflow"
"""Who owns the core's settings, in messages about names that are taken."""
RESERVED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "MEDIAFLOW_CORPUS": "where this project's tests find real media",
        "MEDIAFLOW_URL": "where `mediaflow upload` sends to",
        "MEDIAFLOW_TOKEN": "as whom `mediaflow upload` sends",
    }
)
"""Variables with our prefix that are no settings: the service starts with them and does not look at them."""
MASK: Final = "********"
Source = Literal["environment", "default", "start"]


@dataclass(frozen=True, slots=True)
class SettingInfo:
    """A setting as people are shown it: `value` is text, masked when it is secret. `owner` is `mediaflow` or a plugin.

    `source` is `environment`, `default`, or `start` for what was set by the command that started the process.
    """

    name: str
    variable: str
    value: str
    default: str
    source: Source
    owner: str
    help: str


def load_settings(environ: Mapping[str, str], plugin_specs: Iterable[tuple[str, SettingSpec]] = ()) -> Settings:
    """The settings that an environment gives, and defaults for the rest; `plugin_specs` are pairs of owner and setting.

    Raises ConfigurationError with every variable that is unknown or has a wrong value, a sentence a line.
    """
    owned = owned_specs(plugin_specs)
    by_variable = {variable_of(spec.name): spec for _, spec in owned}
    given = {name: text for name, text in environ.items() if name.startswith(PREFIX) and name not in RESERVED}
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for variable, text in sorted(given.items()):
        try:
            spec = _known(variable, by_variable)
            values[spec.name] = parse_value(spec, text)
        except ConfigurationError as error:
            wrong.append(error.detail)
    if wrong:
        raise ConfigurationError("\n".join(wrong))
    core = {spec.name for spec in core_specs()}
    plugins = {spec.name: values.get(spec.name, spec.default) for owner, spec in owned if owner != CORE}
    return Settings(
        **{name: value for name, value in values.items() if name in core},
        plugins=MappingProxyType(plugins),
        from_environment=frozenset(values),
    )


def owned_specs(plugin_specs: Iterable[tuple[str, SettingSpec]]) -> list[tuple[str, SettingSpec]]:
    """All settings with their owners, the core's first. A name wanted twice raises ConfigurationError with both."""
    owned = [(CORE, spec) for spec in core_specs()]
    owners = {spec.name: CORE for _, spec in owned}
    for owner, spec in plugin_specs:
        _check_spec(owner, spec)
        if spec.name in owners:
            raise ConfigurationError(
                f"{variable_of(spec.name)} is a setting of both {owners[spec.name]} and {owner}; "
                f"rename one, or switch a plugin off with {variable_of('plugins_disabled')}"
            )
        owners[spec.name] = owner
        owned.append((owner, spec))
    return owned


def describe(settings: Settings, plugin_specs: Iterable[tuple[str, SettingSpec]] = ()) -> list[SettingInfo]:
    """Every setting with its effective value, for people: secrets and passwords in URLs are masked."""
    return [_info(settings, owner, spec) for owner, spec in owned_specs(plugin_specs)]


def visible_settings(
    settings: Settings, plugin_specs: Iterable[tuple[str, SettingSpec]], owner: str | None = None
) -> Mapping[str, Any]:
    """What the plugin `owner` may read: all settings by name, less the secrets of the core and of other plugins."""
    return MappingProxyType(
        {
            spec.name: _effective(settings, spec_owner, spec)
            for spec_owner, spec in owned_specs(plugin_specs)
            if not spec.secret or spec_owner == owner
        }
    )


def _known(variable: str, by_variable: Mapping[str, SettingSpec]) -> SettingSpec:
    spec = by_variable.get(variable)
    if spec is None:
        # without the prefix that all of them share, and that would make everything look near
        near = nearest(variable.removeprefix(PREFIX), [name.removeprefix(PREFIX) for name in by_variable])
        hint = f"; did you mean {PREFIX + near!r}?" if near else "; `mediaflow doctor` lists the settings"
        raise ConfigurationError(f"{variable} is set, but there is no such setting{hint}")
    return spec


def _check_spec(owner: str, spec: SettingSpec) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", spec.name):
        raise ConfigurationError(f"{owner}: {spec.name!r} is no name of a setting: use a-z, 0-9 and _")
    if spec.type not in PARSERS:
        raise ConfigurationError(
            f"{owner}: the setting {spec.name!r} has the type {spec.type!r}: use str, int, float or bool"
        )
    if type(spec.default) is not spec.type:
        raise ConfigurationError(
            f"{owner}: the setting {spec.name!r} has a default of another type than {spec.type.__name__}"
        )


def _effective(settings: Settings, owner: str, spec: SettingSpec) -> Any:
    return getattr(settings, spec.name) if owner == CORE else settings.plugins.get(spec.name, spec.default)


def _info(settings: Settings, owner: str, spec: SettingSpec) -> SettingInfo:
    value = _effective(settings, owner, spec)
    source: Source = "default" if value == spec.default else "start"
    if spec.name in settings.from_environment:
        source = "environment"
    shown, default = _masked(spec, value), _masked(spec, spec.default)
    return SettingInfo(spec.name, variable_of(spec.name), shown, default, source, owner, spec.help)


def _masked(spec: SettingSpec, value: Any) -> str:
    if spec.secret:
        return MASK if value else ""
    if isinstance(value, bool):
        return "true" if value else "false"
    # a password before the host of a URL, as in mongodb://user:password@host
    return re.sub(r"(://[^/:@\s]*:)\S+@", rf"\1{MASK}@", str(value))
