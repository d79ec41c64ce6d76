"""What may stand in a planned task: a mistake is told by field, value and what fits."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Final

from mediaflow.plugin import PlannedTask, Reads
from mediaflow.plugin.wire import unfit_params

MOST_TASKS: Final = 10_000
"""Of a job: 100,000 took a worker minutes to write and to look through."""
MOST_PARAMS_BYTES: Final = 1024 * 1024
"""They are in the task's document, and read with it again and again."""
MOST_UNITS: Final = 1024
RANKS: Final = (0, 1, 2)
MOST_SECONDS: Final = 1e9
"""Of one core: thirty years."""


def unfit_task(task: Any) -> str | None:
    """What is wrong with a planned task, as the rest of a sentence that begins with its step; None when it can run."""
    if not isinstance(task, PlannedTask):
        return f"planned {task!r:.100}; it must be a PlannedTask"
    if not isinstance(task.name, str):
        return f"planned a task whose name is {task.name!r:.100}; it must be text"
    told = f"planned {task.name!r:.100} with"
    if not _is_within(task.load_units, int, MOST_UNITS):
        return f"{told} load_units {task.load_units!r:.100}; it must be 0 to {MOST_UNITS} cores"
    if not _is_within(task.weight, (int, float), MOST_SECONDS):
        return f"{told} weight {task.weight!r:.100}; it must be 0 to {MOST_SECONDS:.0f} seconds of one core"
    for field in ("needs", "makes"):
        names = getattr(task, field)
        if isinstance(names, str) or not _are_text(names):
            return f"{told} {field} {names!r:.100}; it must be a tuple of names"
    if task.rank not in RANKS or isinstance(task.rank, bool):
        return f"{told} rank {task.rank!r:.100}; it must be 0, 1 or 2"
    if task.reads is not None and not _is_span(task.reads):
        return f"{told} reads {task.reads!r:.200}; it must be Reads of seconds from 0 on, each behind the one before"
    if not isinstance(task.optional, bool):
        return f"{told} optional {task.optional!r:.100}; it must be True or False"
    return _unfit_params(task, told)


def _unfit_params(task: PlannedTask, told: str) -> str | None:
    if (problem := unfit_params(task.name, task.params)) is not None:
        return problem
    try:
        size = len(json.dumps(dict(task.params), ensure_ascii=False).encode())
    except UnicodeEncodeError:
        return f"{told} parameters that are no Unicode text (half of a surrogate pair)"
    if size > MOST_PARAMS_BYTES:
        return f"{told} parameters of {size} bytes; at most {MOST_PARAMS_BYTES} fit: put more into a file"
    return None


def _is_within(value: Any, kind: Any, most: float) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and 0 <= value <= most


def _is_span(reads: Any) -> bool:
    if not isinstance(reads, Reads):
        return False
    edges = (reads.begin_seconds, *reads.begins, reads.end_seconds)
    seconds = all(_is_within(each, (int, float), MOST_SECONDS) for each in (*edges, reads.lead_seconds))
    return seconds and all(before <= after for before, after in pairwise(edges))


def _are_text(names: Any) -> bool:
    return isinstance(names, Iterable) and all(isinstance(name, str) for name in names)
