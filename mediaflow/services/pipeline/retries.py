"""Whether a task that failed is tried again, and when. Pure; each rule has a row in its test's table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mediaflow.domain.errors import REPEATING_CODES
from mediaflow.domain.states import MAX_ATTEMPTS
from mediaflow.domain.telling import SAID

RETRY_SECONDS: Final = (1.0, 5.0, 15.0, 60.0)
"""Waits before the second, third, ... attempt."""


def seconds_to_next(
    failures: int, before: Mapping[str, Any] | None, error: Mapping[str, Any], *, optional: bool = False
) -> float | None:
    """How long the task waits for its next attempt; None when there is none, because `error` is its end.

    `failures` counts the attempts that failed, this one too. `error` and `before`, the failure before it, are
    `{code, detail}` as the task's document keeps them. What is a function of the input (`REPEATING_CODES`) and was said
    twice in a row, word for word, would be said a third time. Once is not enough to know it: a plugin may ask its
    surroundings, and while machines are brought up to date one after another the next worker has another version of
    it. An `optional` task does not keep what others made waiting for it: for that, anything said twice is its end.
    """
    repeats = optional or error["code"] in REPEATING_CODES
    if failures >= MAX_ATTEMPTS or (repeats and _same(before, error)):
        return None
    return RETRY_SECONDS[min(max(failures, 1), len(RETRY_SECONDS)) - 1]


def _same(before: Mapping[str, Any] | None, error: Mapping[str, Any]) -> bool:
    """The same code and sentence. What a program that died said last may have numbers in it that never repeat."""
    return before is not None and _essence(before) == _essence(error)


def _essence(error: Mapping[str, Any]) -> tuple[str, str]:
    return str(error.get("code")), str(error.get("detail")).split(SAID)[0]
