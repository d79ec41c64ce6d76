"""What the steps of a profile plan, fitted together: no name is taken twice, and what is needed gets made. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import Final

from mediaflow.domain.errors import TaskFailed
from mediaflow.domain.presentation import Artifact
from mediaflow.domain.profile import Profile
from mediaflow.domain.suggest import suggestion
from mediaflow.plugin import PlannedTask

Planned = tuple[str, PlannedTask]
"""A task, behind the name of the step that plans it."""

OURS: Final = frozenset({"probe", "validate", "plan", "open", "digest", "settle", "package", "publish", "poster"})
"""Names of tasks that every job has."""
_NAME: Final = re.compile(r"[a-z0-9-]{1,40}")


def fitted(planned: Sequence[Planned], profile: Profile) -> list[Planned]:
    """The tasks with their needs as names of tasks: a need may be a step's name, and is all of its tasks then.

    TaskFailed (`job.bad_plan`) names the steps and the way out: a task's name or something to make (a track, an output)
    that two of them want for themselves, a need that nobody plans, a circle of needs.
    """
    _check_names(planned, profile)
    _check_outputs(planned, profile)
    resolved = [(step, replace(task, needs=_resolved(step, task, planned, profile))) for step, task in planned]
    _check_order([task for _, task in resolved], profile)
    return resolved


def _check_names(planned: Iterable[Planned], profile: Profile) -> None:
    owners: dict[str, str] = {}
    for step, task in planned:
        if not _NAME.fullmatch(task.name) or task.name in OURS:
            raise _bad(
                profile,
                f"the step {step!r} plans a task called {task.name!r}; names are of a-z, 0-9 and -, at most 40"
                f" characters, and none of {', '.join(sorted(OURS))}",
            )
        if task.name in owners and owners[task.name] == step:
            raise _bad(profile, f"the step {step!r} plans two tasks called {task.name!r}; list it once in the profile")
        if task.name in owners:
            raise _bad(
                profile,
                f"the steps {owners[task.name]!r} and {step!r} both plan a task called {task.name!r}; take one of them"
                " out of the profile, or use a version of the plugin that begins its tasks' names with its own",
            )
        owners[task.name] = step


def _check_outputs(planned: Iterable[Planned], profile: Profile) -> None:
    makers: dict[str, str] = {}
    for step, task in planned:
        for name in task.makes:
            if (other := makers.setdefault(name, step)) != step:
                raise _bad(
                    profile,
                    f"the steps {other!r} and {step!r} both make {name!r}; take one of them out of the profile, or use"
                    " a version of the plugin that puts its codec into the names (`720p-av1`)",
                )


def _resolved(step: str, task: PlannedTask, planned: Sequence[Planned], profile: Profile) -> tuple[str, ...]:
    names, steps = [other.name for _, other in planned], [spec.step for spec in profile.steps]
    found: list[str] = []
    for need in task.needs:
        if need in names:
            found.append(need)
        elif need in steps:
            # what opens the presentation makes a part of what another task makes whole
            others = (o for owner, o in planned if owner == need and o.name != task.name and o.rank > 0)
            found += [other.name for other in others if other.when == "eager"]
        else:
            raise _bad(
                profile,
                f"the task {task.name!r} of the step {step!r} needs {need!r}, which no step of the profile plans for"
                f" this file{suggestion(need, [*names, *steps])}",
            )
    return tuple(dict.fromkeys(found))


def _check_order(tasks: Sequence[PlannedTask], profile: Profile) -> None:
    needs: Mapping[str, tuple[str, ...]] = {task.name: task.needs for task in tasks}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        circle = " needs ".join(repr(name) for name in reversed(error.args[1]))
        raise _bad(profile, f"its tasks wait for one another: {circle}; take one of their steps out") from error


def check_made(made: Iterable[tuple[str, str, Sequence[Artifact]]]) -> None:
    """What was made in the end, as step, task and artifacts: no track and no other file of two steps, and one init
    segment for all tasks of a track. TaskFailed (`job.name_taken`) names both sides.
    """
    makers: dict[str, str] = {}
    inits: dict[str, tuple[str, Artifact]] = {}
    for step, task, artifacts in made:
        for artifact in artifacts:
            name = artifact.track or artifact.path
            if (other := makers.setdefault(name, step)) != step:
                raise _taken(f"the steps {other!r} and {step!r} both made {name!r}")
            if artifact.role != "init":
                continue
            first, init = inits.setdefault(name, (task, artifact))
            if (init.describes, init.size_bytes) != (artifact.describes, artifact.size_bytes):
                raise _taken(f"the tasks {first!r} and {task!r} of the step {step!r} made different inits of {name!r}")


def _taken(detail: str) -> TaskFailed:
    way_out = "take one of them out of the profile, or have the plugin put its codec into the names (`720p-av1`)"
    return TaskFailed(f"Nothing is published: {detail}; {way_out}.", code="job.name_taken")


def _bad(profile: Profile, detail: str) -> TaskFailed:
    return TaskFailed(f"Profile {profile.name!r}: {detail}.", code="job.bad_plan")
