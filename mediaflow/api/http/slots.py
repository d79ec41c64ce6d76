"""Places for long bodies: some threads stay free for everybody else, however slow the uploading clients are."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from mediaflow.domain.errors import LimitReached, Unavailable


class _Full(Unavailable):
    """All places for bodies are taken."""

    default_code = "limit.concurrent_uploads"
    retry_after_seconds = 1


class BodySlots:
    """The long bodies that a process receives at once: `total`, of one user `share` and never all."""

    def __init__(self, total: int, share: int) -> None:
        self._free = total
        self._share = max(1, min(share, total - 1))
        self._held: Counter[str] = Counter()
        self._gate = threading.Lock()

    @contextmanager
    def held(self, user: str) -> Iterator[None]:
        """A place; LimitReached (429) when the user's are taken, Unavailable (503) when all are."""
        with self._gate:
            if self._held[user] >= self._share:
                raise LimitReached(
                    f"{self._share} chunks of yours are arriving already; send this one again in a moment.",
                    code="limit.concurrent_uploads",
                    limit=self._share,
                )
            if self._free <= 0:
                raise _Full("Too many chunks are arriving at once; send this one again in a moment.")
            self._free -= 1
            self._held[user] += 1
        try:
            yield
        finally:
            with self._gate:
                self._free += 1
                self._held[user] -= 1
                if not self._held[user]:
                    del self._held[user]
