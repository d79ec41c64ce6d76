"""What `StepContract` runs of the tasks that a step plans: after which others, and which parts."""

from __future__ import annotations

import random
from collections.abc import Mapping

from mediaflow.plugin import Part, PlannedTask, Step, TaskFiles


def some_parts(task: PlannedTask) -> list[Part]:
    """Parts of a task that is made in parts, the same ones each time: init segments alone, the last segment of all its
    tracks, some of one track.
    """
    if not task.segments:
        return []
    chance = random.Random(task.name)  # noqa: S311
    first = chance.randrange(task.segments)
    some = Part((chance.choice(task.makes),), first, chance.randint(1, task.segments - first))
    return [Part(task.makes[-2:], 0, 0), Part(task.makes, task.segments - 1, 1), some]


def needs_of(task: PlannedTask, step: Step, planned: list[PlannedTask], inputs: Mapping[str, TaskFiles]) -> list[str]:
    """The names of the tasks that the task needs. Which tasks another step has is not known here: it is given all of
    the fixture `inputs`.
    """
    found: list[str] = []
    for need in task.needs:
        if need == step.name:
            found += [other.name for other in planned if other.name != task.name and other.rank > 0]
        else:
            found += inputs if "." in need else [need]
    return list(dict.fromkeys(found))
