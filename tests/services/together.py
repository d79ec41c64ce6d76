"""The same done by several threads at once."""

from __future__ import annotations

import threading
from collections.abc import Callable


def at_once(count: int, act: Callable[[], object]) -> None:
    """Do it in so many threads, none of which begins before all are there."""
    start = threading.Barrier(count)

    def one() -> None:
        start.wait()
        act()

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
