"""Segments that somebody waits for: what makes them is begun before all else, once, however many ask.

Only what the presentation of an asset promises can be asked for, by who has a valid stream token. What nobody renewed
its wish for is not begun. Beside the planned work of a job this is more of the same: what is made first stays, and
whoever comes there later finds it.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mediaflow.domain import keys
from mediaflow.domain.ids import derived_id, job_id
from mediaflow.domain.madesegments import MadeSegment
from mediaflow.domain.queue import DEMAND_PRIORITY
from mediaflow.domain.records import Job, Task
from mediaflow.domain.states import WORK_ACTIVE
from mediaflow.plugin import Part
from mediaflow.plugin.wire import dump, load
from mediaflow.services.delivery.wanted import Wanted
from mediaflow.services.pipeline.givingway import relies_on
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.pipeline.parts import Recipe
from mediaflow.services.ports import Between, Database, Metrics, OneOf

AHEAD_SECONDS: Final = 10.0
"""Of one core: so much is made from where somebody is. Who watches on asks for more before it ends."""
AHEAD: Final = (2, 8)
"""The fewest and the most segments of that."""
NEAR: Final = 3
"""What is so many segments on of what was made is waited for at most, ..."""
IN_TIME_SECONDS: Final = 6.0
"""... and only what takes so long on one core: a request waits 9 s (`awaiting.py`)."""
WANTED_SECONDS: Final = 20.0
"""A wish lasts as long as a request waits, and as long again."""
RENEWED_SECONDS: Final = 5.0
REFUSED_SECONDS: Final = 1.0
"""A refusal is looked into again after so long: who was refused is told to ask again after 2 s."""
MOST_OF_OWNER: Final = 16
"""So many pieces of one owner's assets may wait or be made at once: whoever watches them spends that owner's share."""
REMEMBERED: Final = 2000
AGAIN_SECONDS: Final = 60
"""A piece that came to nothing is tried again after so long."""


@dataclass(slots=True)
class Demand:
    """Begins what is asked for. Safe in any number of processes: they meet at the ids of what they begin."""

    database: Database
    jobs: Jobs
    metrics: Metrics
    _asked: OrderedDict[Wanted, tuple[float, bool]] = field(default_factory=OrderedDict)
    """When this process last looked after each, and with what outcome."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def want(self, wanted: Wanted, may_begin: Callable[[], bool] = lambda: True) -> bool:
        """See to it that the segment is made; False when it can't be, or not now. `may_begin` is asked before anything
        is begun.
        """
        now = self.database.now()
        if (known := self._known(wanted, now)) is not None:
            return known
        taken = False
        try:
            taken = self._is_taken(wanted, now, may_begin)
        finally:
            with self._lock:
                self._asked[wanted] = now, taken
        return taken

    def _is_taken(self, wanted: Wanted, now: float, may_begin: Callable[[], bool]) -> bool:
        source = self.database.jobs.get(job_id(wanted.asset_id, wanted.generation))
        if source is None or source.state in ("failed", "cancelled"):
            return False
        recipe = _recipe(source, wanted.track)
        # without one, the task that makes all of the track is on its way
        if recipe is None or wanted.number < 0 or self._is_being_made(source, recipe, wanted, now):
            return True
        if self._underway(source.owner) >= MOST_OF_OWNER or not may_begin():
            self.metrics.count("mediaflow_demand_total", outcome="refused")
            return False
        self._begin(source, recipe, wanted, now)
        return True

    def _known(self, wanted: Wanted, now: float) -> bool | None:
        """What became of the wish a moment ago; None when it is to be looked after, which others leave to this one."""
        with self._lock:
            since, taken = self._asked.get(wanted, (0.0, True))
            if now - since < (RENEWED_SECONDS if taken else REFUSED_SECONDS):
                return taken
            self._asked[wanted] = now, True
            self._asked.move_to_end(wanted)
            while len(self._asked) > REMEMBERED:
                self._asked.popitem(last=False)
            return None

    # --- what is on its way

    def _is_being_made(self, source: Job, recipe: Recipe, wanted: Wanted, now: float) -> bool:
        """True when somebody is at it, or about to be: who waits to be begun learns that it is wanted still."""
        newest: dict[str, int] = {}
        for made in self._made(wanted, -NEAR, 0):
            name = keys.attempt_task(made.path)
            newest[name] = max(made.number, newest.get(name, 0))
        for task in self._pieces(wanted):
            ahead = _ahead(wanted, load(Part, task.part), newest.get(task.name))
            in_time = ahead == 1 or ahead * recipe.seconds <= IN_TIME_SECONDS
            if in_time and relies_on(self.database, task, wanted.number, now + WANTED_SECONDS):
                return True
        running = self.database.tasks.find({"job_id": source.id, "state": "running", "stage": "step"})
        parts = ((task.name, load(Part, task.part)) for task in running if task.part is not None)
        # these make all their tracks side by side, and give way to what somebody waits for
        return any(
            _ahead(wanted, part, newest.get(name)) * recipe.seconds * len(part.tracks) <= IN_TIME_SECONDS
            for name, part in parts
        )

    def _pieces(self, wanted: Wanted) -> list[Task]:
        where = {"asset_id": wanted.asset_id, "generation": wanted.generation, "kind": "demand"}
        jobs = self.database.jobs.find({**where, "state": OneOf(WORK_ACTIVE)})
        pieces = {"job_id": OneOf(tuple(job.id for job in jobs)), "state": OneOf(WORK_ACTIVE)}
        return self.database.tasks.find(pieces) if jobs else []

    def _made(self, wanted: Wanted, first: int, end: int) -> list[MadeSegment]:
        """Segments of the track that are there, counted from the wanted one."""
        where = {"asset_id": wanted.asset_id, "generation": wanted.generation, "track": wanted.track}
        numbers = Between(max(0, wanted.number + first), wanted.number + end)
        return self.database.segments.find({**where, "number": numbers})

    def _underway(self, owner: str) -> int:
        return self.database.jobs.count({"owner": owner, "state": OneOf(WORK_ACTIVE), "kind": "demand"})

    # --- what is begun

    def _begin(self, source: Job, recipe: Recipe, wanted: Wanted, now: float) -> None:
        """A job of what is wanted and what comes next, up to what is there already."""
        fewest, most = AHEAD
        count = max(fewest, min(most, round(AHEAD_SECONDS / max(recipe.seconds, 0.001))))
        count = min(count, recipe.segments - wanted.number)
        count = min((made.number - wanted.number for made in self._made(wanted, 0, count)), default=count)
        if count < 1:
            return  # it has just been made
        part = Part((wanted.track,), wanted.number, count)
        job = _job(source, recipe, wanted, part, now)
        if self.jobs.add(job):
            self.metrics.count("mediaflow_demand_total", outcome="begun")
            self.jobs.advance(job.id)


def _job(source: Job, recipe: Recipe, wanted: Wanted, part: Part, now: float) -> Job:
    # no name comes twice: what an attempt has written is never written again
    name = f"{recipe.task}_{wanted.track}_{wanted.number}_{int(now // AGAIN_SECONDS):x}"
    task = {
        "name": name,
        "stage": "step",
        "step": recipe.step,
        "params": dict(recipe.params),
        "load_units": recipe.load_units,
        "weight": round(part.count * recipe.seconds, 3),
        "lane": "first",
        "rank": 0,
        "part": dump(part),
        "reads": dump(recipe.reads_of(part)),
        "whole": recipe.task,
        "watched": True,
        "eager": recipe.when == "eager",
        "wanted_until": now + WANTED_SECONDS,
        "wanted_to": wanted.number,
    }
    return Job(
        id=derived_id("demand", wanted.asset_id, wanted.generation, name),
        asset_id=wanted.asset_id,
        owner=source.owner,
        generation=wanted.generation,
        profile=source.profile,
        state="pending",
        created_at=now,
        updated_at=now,
        media=source.media,
        plan={"task": task},
        kind="demand",
        priority=DEMAND_PRIORITY,
    )


def _recipe(source: Job, track: str) -> Recipe | None:
    return next((load(Recipe, each) for each in source.recipes if track in each["tracks"]), None)


def _ahead(wanted: Wanted, part: Part, newest: int | None) -> float:
    """How many segments on the wanted one is of the `newest` that was made of the part (None: it begins); infinity for
    what is not of it, or far ahead.
    """
    if wanted.track not in part.tracks or not part.first <= wanted.number < part.first + part.count:
        return math.inf
    ahead = wanted.number - (part.first - 1 if newest is None else newest)
    return ahead if ahead <= NEAR else math.inf
