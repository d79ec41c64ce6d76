"""A piece that goes on for nobody in particular gives way to one that somebody waits for.

Who watches on asks for more before a piece ends, and then has all of it up to there. Who went elsewhere asks no more,
and would wait for what nobody watches (measured: a seek right after playing began waited 8 s for two such pieces).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mediaflow.domain.queue import READY_PIECES
from mediaflow.domain.records import Task
from mediaflow.domain.states import WORK_ACTIVE
from mediaflow.plugin import Part
from mediaflow.plugin.wire import dump, load
from mediaflow.services.ports import Between, Database

LEAST_SECONDS: Final = 3.0
"""Of one core: less than this is not worth having begun (0.6 to 1.2 s) while others wait."""
FRESH_SECONDS: Final = 3.0
"""A piece that was begun so lately has perhaps made nothing yet."""
_CLOSED: Final = -2
"""As `wanted_to`: the end has moved back, and nobody relies on the task any more."""


def gives_way(database: Database, task: Task, number: int) -> bool:
    """Whether a piece of demand ends behind that segment, which is made: its end moves back by compare-and-set, unless
    somebody relies on more of it (`relies_on`).
    """
    part = load(Part, task.part)
    count = number + 1 - part.first
    if not task.wanted_until or count >= part.count or count * task.weight / part.count < LEAST_SECONDS:
        return False
    if not _is_needed_elsewhere(database, task):
        return False
    wanted_to = _wanted_to(database, task, number)
    if wanted_to > number:
        return False
    expect = {"state": "running", "attempt": task.attempt, "wanted_to": wanted_to}
    shorter = {"part": dump(replace(part, count=count)), "wanted_to": _CLOSED}
    return database.tasks.change(task.id, expect, shorter) is not None


def is_ahead(database: Database, task: Task, number: int) -> bool:
    """Whether nobody has asked for more of a piece than what it has made up to that segment."""
    return _wanted_to(database, task, number) <= number


def _wanted_to(database: Database, task: Task, number: int) -> int:
    wanted_to: int = (database.tasks.peek(task.id, ("wanted_to",)) or {}).get("wanted_to", number)
    return wanted_to


def _is_needed_elsewhere(database: Database, task: Task) -> bool:
    """True when another piece waits to be begun, or was begun a moment ago and shares the cores with this one."""
    if database.tasks.count({**READY_PIECES, "state": "pending"}):
        return True
    since = max(database.now() - FRESH_SECONDS, (task.started_at or 0.0) + 0.001)
    return database.tasks.count({**READY_PIECES, "state": "running", "started_at": Between(since, None)}) > 0


def relies_on(database: Database, task: Task, number: int, until: float) -> bool:
    """Have the task go on to that segment at least, and be begun until then; False when it has ended, or its end has
    moved back. Others may ask for more of it in the same moment.
    """
    seen: Task | None = task
    while seen is not None and seen.state in WORK_ACTIVE and seen.wanted_to != _CLOSED:
        expect = {"state": seen.state, "wanted_to": seen.wanted_to}
        changes = {"wanted_until": until, "wanted_to": max(number, seen.wanted_to)}
        if database.tasks.change(seen.id, expect, changes) is not None:
            return True
        seen = database.tasks.get(seen.id)
    return False
