"""What steps need of a machine that not every one has (`ChecksMachine`): tried for profiles, and for who asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Literal

from mediaflow.domain.telling import cause
from mediaflow.plugin import ChecksMachine, ConfigurationError, Profile, Step, UsesDevices
from mediaflow.registry import Registry
from mediaflow.registry.profile_files import OPERATOR
from mediaflow.sandbox.devices import device_files
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.services.pipeline.confinement import confinement_of
from mediaflow.settings import Settings

_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """What is tried: a step with parameters, for the profile of that name or, with None, for who wants to know."""

    name: str
    step: Step
    params: Mapping[str, Any]
    profile: Profile | None = None


def check_profiles(settings: Settings, plugins: Registry) -> None:
    """Raise ConfigurationError when this machine lacks what the default profile or one of the operator's own needs. Of
    a plugin's profile, which nobody may ever name, `mediaflow doctor` tells.
    """
    wanted = [trial for trial in _of_profiles(plugins) if _is_wanted(trial, settings, plugins)]
    if said := [sentence for _, sentence in _lacking(settings, wanted)]:
        raise ConfigurationError("\n".join(said))


def abilities(settings: Settings, plugins: Registry) -> tuple[Literal["passed", "warning", "failed"], str]:
    """A sentence about all that steps can do where a machine can, and about profiles that can't be used here: `failed`
    when a worker would not start.
    """
    able = [
        Trial(name, step, params)
        for step in plugins.steps.values()
        if isinstance(step, ChecksMachine)
        for name, params in step.abilities().items()
    ]
    lacking = {trial.name: said for trial, said in _lacking(settings, able)}
    usable = [trial.name for trial in able if trial.name not in lacking]
    useless = dict(_lacking(settings, _of_profiles(plugins)))
    refused = any(_is_wanted(trial, settings, plugins) for trial in useless)
    told = [*useless.values(), f"usable here: {', '.join(usable) or 'none'}", *lacking.values()]
    return "failed" if refused else "warning" if useless else "passed", "; ".join(told)


def _is_wanted(trial: Trial, settings: Settings, plugins: Registry) -> bool:
    return plugins.owner_of_profile(trial.name) == OPERATOR or trial.name == settings.default_profile


def _of_profiles(plugins: Registry) -> list[Trial]:
    return [
        Trial(profile.name, step, spec.params, profile)
        for profile in plugins.profiles.values()
        for spec in profile.steps
        if isinstance(step := plugins.steps[spec.step], ChecksMachine)
    ]


def _lacking(settings: Settings, trials: Sequence[Trial]) -> Iterator[tuple[Trial, str]]:
    """The trials that fail, each with a sentence."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for trial, said in zip(trials, pool.map(lambda trial: _lacks(settings, trial), trials), strict=True):
            if said is not None:
                place = "" if trial.profile is None else f"the profile {trial.name!r} ({trial.profile.source}): "
                yield trial, f"{place}{said}"


def _lacks(settings: Settings, trial: Trial) -> str | None:
    confinement = confinement_of(settings)
    try:
        patterns: Iterable[str] = trial.step.devices(trial.params) if isinstance(trial.step, UsesDevices) else ()
        runner = SandboxedRunner(confinement.mode, confinement=confinement.with_devices(device_files(patterns)))
        return trial.step.lacks(trial.params, runner) if isinstance(trial.step, ChecksMachine) else None
    except Exception as error:  # noqa: BLE001 - a plugin's code: whatever it raises is what there is to say
        return f"the step {trial.step.name!r} could not be tried: {cause(error)}"
