"""Work that is done again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mediaflow.plugin.interfaces import MediaContext


@dataclass(frozen=True, slots=True)
class Periodic:
    """Work that is done every so often, by one worker of the whole installation.

    `run(context)` is called in a thread of a worker, the first time soon after the start. The next time comes
    `every_seconds` (1 or more) after it began, and not before it has ended. When its worker dies, or it takes longer
    than `limit_seconds`, another worker may begin it: so let it go on from whatever it finds. An exception is logged
    and counted, and harms nothing.
    """

    name: str
    every_seconds: float
    run: Callable[[MediaContext], None]
    limit_seconds: float = 60.0
