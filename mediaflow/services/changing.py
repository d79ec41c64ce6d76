"""Changing a record by compare-and-set: look at it, decide, write; look again when somebody else was faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from mediaflow.domain.errors import Conflict, MediaflowError, TaskFailed

TRIES: Final = 10

T = TypeVar("T")


def busy() -> MediaflowError:
    """What is said when others were faster each time."""
    return Conflict("Others keep changing this asset; try again.", code="asset.busy")


def kept_busy() -> MediaflowError:
    """The same of a task, which is tried again."""
    return TaskFailed("Others keep changing this asset.", code="asset.busy")


def until_done(attempt: Callable[[], T | None], otherwise: Callable[[], MediaflowError] = busy) -> T:
    """What the first attempt comes to; None is an attempt that somebody else's change made vain.

    Each attempt must read the record anew. Raises what `otherwise` makes after the last of ten.
    """
    for _ in range(TRIES):
        if (result := attempt()) is not None:
            return result
    raise otherwise()
