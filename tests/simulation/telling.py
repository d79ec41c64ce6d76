"""A history as text: its last steps, with short names in the place of ids."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.simulation.faults import LOOKS
from tests.simulation.scheduler import START
from tests.simulation.world import World

LAST: Final = 60
LONGEST: Final = 230
_ID: Final = re.compile(r"[0-9a-f]{32}")


def told(world: World, last: int | None = LAST) -> str:
    """The last steps of a history that did something, a line each; all steps without `last`."""
    names, entries = _names(world), world.trace.entries
    if last is not None:
        entries = [entry for entry in entries if not _only_looks(entry)][-last:]
    lines = [_line(entry) for entry in entries]
    return "\n".join(_ID.sub(lambda found: names.get(found[0], found[0][:6]), line) for line in lines)


def _only_looks(entry: tuple[Any, ...]) -> bool:
    return entry[2].endswith(LOOKS) and not isinstance(entry[5], Exception)


def _line(entry: tuple[Any, ...]) -> str:
    at, actor, what, detail, args, answer = entry
    who = actor.name if actor is not None else ""
    said = detail or ", ".join(_short(each) for each in args)
    if answer is None and what not in ("ask", "FAULT"):
        said += " -> None"
    elif isinstance(answer, Exception):
        said += f" -> {type(answer).__name__}: {answer}"
    elif answer is not None:
        said += f" -> {_result(answer, what)}"
    return f"{at - START:9.3f} {who:<26} {what:<18} {said}"[:LONGEST]


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}={_short(each)}" for name, each in value.items()) + "}"
    if hasattr(value, "__dataclass_fields__") and hasattr(value, "id"):
        return f"{type(value).__name__}({value.id})"
    return repr(value)[:90]


def _result(answer: Any, what: str) -> str:
    if isinstance(answer, list):
        return f"{len(answer)} found"
    if hasattr(answer, "id"):
        facts = ("state", "attempt", "generation", "deleted_at", "rev")
        return " ".join(f"{name}={getattr(answer, name)}" for name in facts if hasattr(answer, name))
    del what
    return repr(answer)[:90]


def _names(world: World) -> dict[str, str]:
    """Names by ids, of all records that there ever were, in the order in which they came."""
    names: dict[str, str] = {}
    counts: dict[str, int] = {}
    for entry in world.trace.entries:
        for value in (*entry[4], entry[5]):
            for record in value if isinstance(value, list) else (value,):
                if not hasattr(record, "id") or record.id in names or not hasattr(record, "rev"):
                    continue
                kind = type(record).__name__.lower()
                counts[kind] = counts.get(kind, 0) + 1
                names[record.id] = (getattr(record, "name", "") and f"task:{record.name}") or f"{kind}{counts[kind]}"
    return names
