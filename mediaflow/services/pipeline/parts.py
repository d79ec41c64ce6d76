"""What of a job is made in parts: several workers share a film, and what is watched is made before the rest. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

from mediaflow.domain.profile import When
from mediaflow.plugin import Part, PlannedTask, Reads

PART_SECONDS: Final = 20.0
"""Of one core, that a part is expected to take: two workers are done with a clip of a minute almost together, and what
a part costs beside its encoding (measured: 0.6 s at 360p, 1.2 s at 1080p) is little of it.
"""
MOST_PARTS: Final = 200
"""Of a planned task: whoever moves a job on looks at all of its tasks."""
LEAST_SEGMENTS: Final = 2
HALVED: Final = 2
"""So often the last part is halved: who ends first has something left to do. By the model of `deploy/engine.md`, two
workers are 1.85 times as fast as one with a clip of a minute; with equal parts, 1.7 times.
"""
REST: Final = 2
"""The rank of a task that nobody waits for in front of a player."""
INIT_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Piece:
    """What becomes a task: a planned one, or a part of one, which is `whole`. `place` is its place among the parts;
    those up to it are expected to take `weight_so_far`.
    """

    step: str
    task: PlannedTask
    whole: str | None = None
    part: Part | None = None
    place: int = 0
    whole_weight: float = 0.0

    @property
    def weight_so_far(self) -> float:
        return (self.place + 1) * self.task.weight


@dataclass(frozen=True, slots=True)
class Recipe:
    """How any segments of some tracks are made: `seconds` of a core for each segment of each of them."""

    step: str
    task: str
    params: Mapping[str, Any]
    tracks: tuple[str, ...]
    segments: int
    seconds: float
    load_units: int
    when: When
    reads: Reads | None = None

    def reads_of(self, part: Part) -> Reads | None:
        """What a part of it reads of the source."""
        return _share(self.reads, part, self.segments)


def divided(planned: Iterable[tuple[str, PlannedTask]]) -> list[Piece]:
    """All tasks in parts that can be; of those that are made on demand, the init segments alone.

    What needs a task needs all its parts.
    """
    pieces = [piece for step, task in planned for piece in _pieces(step, task)]
    names: dict[str, list[str]] = {}
    for piece in pieces:
        names.setdefault(piece.whole or piece.task.name, []).append(piece.task.name)
    return [replace(piece, task=replace(piece.task, needs=_all(piece.task.needs, names))) for piece in pieces]


def recipes_of(planned: Iterable[tuple[str, PlannedTask]]) -> list[Recipe]:
    """Those of all tasks that can be made in parts."""
    return [
        Recipe(
            step,
            task.name,
            dict(task.params),
            tuple(task.makes),
            task.segments,
            task.weight / max(1, task.segments * len(task.makes)),
            task.load_units,
            task.when,
            task.reads,
        )
        for step, task in planned
        if task.segments
    ]


def part_name(whole: str, first: int) -> str:
    """The name of a part. Plugins have no `_` in the names of theirs."""
    return f"{whole}_{first}"


def _pieces(step: str, task: PlannedTask) -> Iterator[Piece]:
    if task.when == "on_demand":
        name, part = f"{task.name}_init", Part(tuple(task.makes), 0, 0)
        inits = replace(
            task, name=name, weight=INIT_SECONDS, rank=0, optional=False, reads=_share(task.reads, part, task.segments)
        )
        yield Piece(step, inits, task.name, part)
        return
    if not task.segments:
        yield Piece(step, task, whole_weight=task.weight)
        return
    cuts = _cuts(task)
    for place, (first, end) in enumerate(pairwise(cuts)):
        weight = task.weight * (end - first) / task.segments
        name = task.name if len(cuts) == 2 else part_name(task.name, first)
        part = Part(tuple(task.makes), first, end - first)
        piece = replace(task, name=name, weight=round(weight, 3), reads=_share(task.reads, part, task.segments))
        yield Piece(step, piece, task.name, part, place, task.weight)


def _share(reads: Reads | None, part: Part, segments: int) -> Reads | None:
    return None if reads is None else reads.of_part(part.first, part.count, segments)


def _cuts(task: PlannedTask) -> Sequence[int]:
    """Where parts begin, and the end. The last part of what is made last is halved, and its second half again: who
    ends first has something left to do meanwhile.
    """
    count = max(1, min(MOST_PARTS - HALVED, task.segments // LEAST_SEGMENTS, math.ceil(task.weight / PART_SECONDS)))
    *begins, end = (number * task.segments // count for number in range(count + 1))
    for _ in range(HALVED if count > 1 and task.rank == REST else 0):
        if end - begins[-1] > 1:
            begins.append(end - (end - begins[-1]) // 2)
    return [*begins, end]


def _all(needs: Iterable[str], names: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    return tuple(part for need in needs for part in names.get(need, [need]))
