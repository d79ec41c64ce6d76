"""A job's tasks over time, drawn with characters: a line each, no wider than 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final

COLUMNS: Final = 80
NAME, BAR, SECONDS = 20, 34, 10
"""The widths of a line's parts, with a space between each."""
WAITING, RUNNING, FAILED = "░", "█", "▒"
GATHERED: Final = 4
"""So many parts that wait are one line."""
_ENDED: Final = ("done", "failed", "cancelled")


def drawn(job: Mapping[str, Any], now: float) -> list[str]:
    """The lines of a job as the API tells it; what has not ended is cut off at `now` (seconds since the epoch)."""
    tasks: Sequence[Mapping[str, Any]] = job["tasks"]
    begin = _seconds(job["created_at"]) or now
    end = max([now if job["state"] not in _ENDED else begin, *(_end(task, now) for task in tasks), begin + 0.001])
    lines = [f"{_fitting('task', NAME)} {_fitting(f'0 to {_length(end - begin)}', BAR)} {'runs':>{SECONDS}} state"]
    for some in _gathered(tasks):
        name = f"{_whole(some[0])}: {len(some)} parts" if len(some) > 1 else some[0]["name"]
        lines += [_line(some[0], name, begin, end, now), *_said(some[0])]
    return lines


def _gathered(tasks: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Parts of one task that follow one another and wait, a film has hundreds, together; all others alone."""
    for (_, waits), found in groupby(tasks, key=lambda task: (_whole(task), _waits(task))):
        together = list(found)
        yield from [together] if waits and len(together) >= GATHERED else ([task] for task in together)


def _whole(task: Mapping[str, Any]) -> str:
    """The task that this one makes a part of; plugins have no `_` in the names of theirs."""
    return str(task["name"]).partition("_")[0]


def _waits(task: Mapping[str, Any]) -> bool:
    return task["state"] == "pending" and not task["attempts"] and task.get("error") is None


def _line(task: Mapping[str, Any], name: str, begin: float, end: float, now: float) -> str:
    started = _seconds(task["started_at"])
    runs = f"{_length(_end(task, now) - started):>{SECONDS}}" if started is not None else " " * SECONDS
    tries = f" x{task['attempts']}" if task["attempts"] > 1 else ""
    return f"{_fitting(name, NAME)} {_bar(task, begin, end, now)} {runs} {task['state']}{tries}"[:COLUMNS]


def _bar(task: Mapping[str, Any], begin: float, end: float, now: float) -> str:
    """What the last attempt took, behind what the task waited for it. What ran at all is seen."""

    def column(moment: float) -> int:
        return min(BAR, max(0, round((moment - begin) / (end - begin) * BAR)))

    made, started = column(_seconds(task["created_at"]) or begin), _seconds(task["started_at"])
    if started is None:
        waits = column(end) if task["state"] == "pending" else made
        return (" " * made + WAITING * (waits - made)).ljust(BAR)
    first = min(BAR - 1, column(started))
    last = max(first + 1, column(_end(task, now)))
    mark = FAILED if task["state"] in ("failed", "cancelled") else RUNNING
    return (" " * min(made, first) + WAITING * (first - min(made, first)) + mark * (last - first)).ljust(BAR)


def _said(task: Mapping[str, Any]) -> list[str]:
    error = task.get("error")
    if error is None:
        return []
    text = f"{error['code']}: {error['detail']}"
    return textwrap.wrap(text, COLUMNS, initial_indent="    ", subsequent_indent="    ")


def _end(task: Mapping[str, Any], now: float) -> float:
    if task["finished_at"] is not None:
        return _seconds(task["finished_at"]) or now
    return now if task["state"] == "running" else _seconds(task["started_at"]) or _seconds(task["created_at"]) or now


def _fitting(text: str, width: int) -> str:
    return (text if len(text) <= width else f"{text[: width - 1]}…").ljust(width)


def _length(seconds: float) -> str:
    """`12.3 s`, `4:05 min`, `1:02:03 h`."""
    seconds = max(0.0, seconds)
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02} min" if minutes < 100 else f"{minutes // 60}:{minutes % 60:02}:{rest:02} h"


def _seconds(moment: str | None) -> float | None:
    return None if moment is None else datetime.fromisoformat(moment).timestamp()
