"""What a task found out for those that come after it: small, kept with the task, and told to every later one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from mediaflow.domain.errors import TaskFailed
from mediaflow.domain.records import Task
from mediaflow.sandbox.ownership import open_made

ROLE: Final = "findings"
MOST_BYTES: Final = 4096
"""Every later task of the job has them in its document."""


def taken_from(told: Iterable[Mapping[str, Any]], directory: Path) -> dict[str, Any]:
    """What the files of that role hold, all together; {} without one. TaskFailed (`job.step_broken`) for what is no
    JSON object, or too long.
    """
    found: dict[str, Any] = {}
    for artifact in told:
        if artifact["role"] == ROLE:
            found |= _read(directory, artifact["path"], artifact["size_bytes"])
    return found


def _read(directory: Path, path: str, size: int) -> dict[str, Any]:
    if size > MOST_BYTES:
        raise _broken(path, f"are {size} bytes; at most {MOST_BYTES} fit")
    with open_made(directory, path) as file:
        try:
            found = json.loads(file.read(), parse_constant=_no_number)
            json.dumps(found, ensure_ascii=False).encode()  # half of a surrogate pair is no text
        except (ValueError, RecursionError) as error:
            raise _broken(path, f"are no JSON ({error!s:.100})") from error
    if not isinstance(found, dict):
        raise _broken(path, "must be a JSON object")
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def of_tasks(done: Iterable[Task]) -> dict[str, Any]:
    """Those of tasks that are done, by their names."""
    found = ((task.name, (task.result or {}).get(ROLE)) for task in done)
    return {name: each for name, each in found if each}


def _broken(path: str, what: str) -> TaskFailed:
    return TaskFailed(f"The findings in {path} {what}.", code="job.step_broken")
