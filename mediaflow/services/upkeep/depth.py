"""How much work waits and runs, by stage and lane: for metrics and for admins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from mediaflow.domain.states import LANES, Lane, Stage
from mediaflow.services.pipeline.pausing import Pausing
from mediaflow.services.ports import Database


@dataclass(frozen=True, slots=True)
class StageDepth:
    """The tasks of one stage and lane: those that could be claimed now or after a pause, and those that run."""

    stage: Stage
    lane: Lane
    waiting: int
    running: int
    oldest_seconds: float | None


@dataclass(frozen=True, slots=True)
class Depth:
    """The whole queue. `oldest_seconds` is how long ago the oldest task that waits was made (None: none waits)."""

    paused: bool
    stages: tuple[StageDepth, ...]

    @property
    def waiting(self) -> int:
        return sum(each.waiting for each in self.stages)

    @property
    def running(self) -> int:
        return sum(each.running for each in self.stages)

    @property
    def oldest_seconds(self) -> float | None:
        return max((each.oldest_seconds for each in self.stages if each.oldest_seconds is not None), default=None)


def depth(database: Database) -> Depth:
    """How it is now. Counts go along an index; stages that have nothing are left out."""
    return Depth(Pausing(database).is_paused(), tuple(_stages(database)))


def _stages(database: Database) -> Iterator[StageDepth]:
    now, tasks = database.now(), database.tasks
    waits: dict[str, Any] = {"state": "pending", "ready": True}
    for lane in LANES:
        here = {"lane": lane}
        stages = {*tasks.distinct("stage", waits | here), *tasks.distinct("stage", {"state": "running"} | here)}
        for stage in sorted(stages):
            which = here | {"stage": stage}
            oldest = tasks.find(waits | which, sort=("created_at",), limit=1)
            yield StageDepth(
                cast(Stage, stage),
                lane,
                tasks.count(waits | which),
                tasks.count({"state": "running"} | which),
                max(0.0, round(now - oldest[0].created_at, 3)) if oldest else None,
            )
