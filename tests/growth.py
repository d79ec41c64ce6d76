"""How the cost of work grows with its input: measured as a ratio, which says the same on every machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

FACTOR: Final = 4
MOST: Final = 9.0
"""Four times the input costs about 4 times as much when the cost is linear, and 16 times when it is quadratic."""
TRIES: Final = 4
_LEAST_SECONDS: Final = 0.001
"""Less is not measured: it is repeated."""


def growth(work: Callable[[int], object], size: int) -> float:
    """How many times as much processor time `work(4 * size)` takes as `work(size)`.

    `work` gets the size, and should make of its input only what it needs: what it spends on that counts too. What comes
    out linear is measured once, what does not several times, and the best counts: the machine has other work.
    """
    repeats = 1
    while (small := _seconds(work, size, repeats)) < _LEAST_SECONDS and repeats < 10_000:
        repeats *= 4
    large = _seconds(work, FACTOR * size, repeats)
    for _ in range(TRIES):
        if large < MOST * small:
            break
        small, large = min(small, _seconds(work, size, repeats)), min(large, _seconds(work, FACTOR * size, repeats))
    return large / small


def _seconds(work: Callable[[int], object], size: int, repeats: int) -> float:
    began = time.thread_time()
    for _ in range(repeats):
        work(size)
    return time.thread_time() - began
