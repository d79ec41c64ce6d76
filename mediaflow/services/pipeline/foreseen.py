"""What a job keeps of its plan, so that people can be told of it later: the tasks as planned, and why these rungs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mediaflow.domain.plan import EncodePlan, RungChoice
from mediaflow.domain.profile import When
from mediaflow.plugin import PlannedTask
from mediaflow.plugin.wire import dump, load


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A task as its step planned it; the fields are those of `PlannedTask` (`plugin/interfaces.py`)."""

    step: str
    name: str
    makes: tuple[str, ...]
    segments: int
    when: When
    rank: int
    load_units: int
    weight: float
    optional: bool


def foreseen(planned: Iterable[tuple[str, PlannedTask]]) -> list[Foreseen]:
    """The planned tasks, each behind its step's name, without what only the step knows."""
    return [
        Foreseen(step, t.name, tuple(t.makes), t.segments, t.when, t.rank, t.load_units, t.weight, t.optional)
        for step, t in planned
    ]


@dataclass(frozen=True, slots=True)
class KeptPlan:
    """`Job.plan`. What older versions did not keep is None."""

    encode: EncodePlan
    rungs: tuple[RungChoice, ...] | None
    tasks: tuple[Foreseen, ...] | None


def kept(encode: EncodePlan, rungs: Iterable[RungChoice], tasks: Iterable[Foreseen]) -> dict[str, Any]:
    """As a document: the plan of the encode with the others beside it."""
    return {**dump(encode), "rungs": [dump(each) for each in rungs], "tasks": [dump(each) for each in tasks]}


def read(document: Mapping[str, Any]) -> KeptPlan:
    """What `kept` wrote, in this version or an older one."""
    encode = {name: value for name, value in document.items() if name not in ("rungs", "tasks")}
    return KeptPlan(
        load(EncodePlan, encode),
        load(tuple[RungChoice, ...], document["rungs"]) if "rungs" in document else None,
        load(tuple[Foreseen, ...], document["tasks"]) if "tasks" in document else None,
    )
