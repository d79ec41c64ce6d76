"""How much work one process takes on at once, and which kind comes next."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mediaflow.domain.records import Task
from mediaflow.domain.states import Lane
from mediaflow.plugin import Part
from mediaflow.plugin.wire import load

RESERVED_SECONDS: Final = 5.0
"""So long nothing else begins after a large task was found waiting; it is found again sooner than that."""
LIGHT_SECONDS: Final = 0.5
"""Of one core, a segment: what viewers begin with and is so light (sound of three renditions is 0.26, init segments are
0.2) is in time behind the heavier that it is begun with (the picture).
"""


def is_light(task: Task) -> bool:
    """Whether a task is one of those that viewers begin with, and light."""
    segments = 1 if task.part is None else load(Part, task.part).count
    return task.lane == "first" and task.weight <= LIGHT_SECONDS * segments


@dataclass(frozen=True, slots=True)
class _Held:
    owner: str
    lane: Lane
    units: int
    express: bool


@dataclass(slots=True)
class LoadGate:
    """The load units (cores) of a process, and who has them.

    Bookkeeping always passes. Only looks at sources (probes) are as many as there are units at most, beside what else
    runs, and half of that beside what viewers begin with (of 50 uploads two were looked at all the time, and another
    owner's clip behind them played after 8.4 s instead of 4.8); long tasks begin on units that these leave. A task that
    is larger than all units counts as all of them.

    Long tasks take units that are free; half of the units (one at least) go to them first. They give way to others on
    the cores, so short ones find all units whatever long ones run: nobody waits behind a film, and the film goes on.
    What viewers begin with (`first`) is over in a second or two, and as many of these run as there are units, whatever
    else does.

    Of both kinds one more than there are units passes (the express), which takes the place of none: a short one for an
    owner of whom no other short one runs here, since a full process does not keep a newcomer waiting; of what viewers
    begin with, a light one (on two cores what opens a video, picture, sound and the init segments, runs at once, and is
    there after nine tenths of the time).
    """

    units: int
    elapsed: Callable[[], float] = time.monotonic
    _held: dict[str, _Held] = field(default_factory=dict)
    _reserved: tuple[str, float] = ("", 0.0)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def lanes(self) -> tuple[Lane, ...]:
        """The kinds of tasks of which one may pass now, in the order in which to look for one."""
        with self._lock:
            found: list[Lane] = ["bookkeeping"]
            if self._used("first") < self.units or not self._express_runs("first"):
                found.append("first")
            if self._used("short") < self.units or not self._express_runs("short"):
                found.append("short")
            if self._used() < self.units:
                first = self._used("long") < max(1, self.units // 2)
                found.insert(found.index("short") if first and "short" in found else len(found), "long")
            return tuple(found)

    def take(self, task: Task) -> bool:
        """Reserve the task's units; False when they are not free, or another thread has the task. `give_back` returns
        them.
        """
        with self._lock:
            if task.id in self._held:
                return False
            units = min(task.load_units, self.units)
            used = self._used() if task.lane == "long" else self._used(task.lane)
            fits = used + units <= self._most(task.lane) and (
                task.lane == "bookkeeping" or not self._is_kept_for_another(task)
            )
            express = units > 0 and not fits
            if express and not self._may_pass_express(task, units):
                return False
            self._held[task.id] = _Held(task.owner, task.lane, units, express)
            return True

    def give_back(self, task: Task) -> None:
        """Free what `take` reserved."""
        with self._lock:
            self._held.pop(task.id, None)

    def keep_room_for(self, task: Task) -> None:
        """Let what runs come to its end and nothing else begin, until this task fits or has gone elsewhere."""
        with self._lock:
            self._reserved = (task.id, self.elapsed() + RESERVED_SECONDS)

    @property
    def probes_pass(self) -> bool:
        """True while one more source may be looked at."""
        with self._lock:
            return self._used("bookkeeping") < self._most("bookkeeping")

    @property
    def most(self) -> int:
        """So many tasks run at once at most, beside bookkeeping: long ones that found a free machine, short ones and
        an express, and what viewers begin with.
        """
        return 3 * self.units + 2

    @property
    def has_room(self) -> bool:
        """True while a unit is free for short tasks."""
        with self._lock:
            return self._used("short") < self.units

    def _used(self, lane: Lane | None = None) -> int:
        held = (each for each in self._held.values() if not each.express and lane in (None, each.lane))
        return sum(each.units for each in held)

    def _most(self, lane: Lane) -> int:
        """The units that tasks of a lane may have."""
        return max(1, self.units // 2) if lane == "bookkeeping" and self._used("first") else self.units

    def _is_kept_for_another(self, task: Task) -> bool:
        wanted, until = self._reserved
        return task.load_units > 0 and task.id != wanted and self.elapsed() < until

    def _may_pass_express(self, task: Task, units: int) -> bool:
        if units > 1 or self._express_runs(task.lane):
            return False
        served = any(held.owner == task.owner and held.lane == "short" for held in self._held.values())
        return is_light(task) or (task.lane == "short" and not served)

    def _express_runs(self, lane: Lane) -> bool:
        return any(held.express and held.lane == lane for held in self._held.values())
