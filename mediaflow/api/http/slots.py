"""Places for what lasts: long bodies, so that some threads stay free for everybody else, and streams of events."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from mediaflow.domain.errors import LimitReached, Unavailable
from mediaflow.services.requests.rate_limits import network_of


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


class _StreamsFull(Unavailable):
    """All places for streams are taken."""

    default_code = "limit.event_streams"
    retry_after_seconds = 30


class StreamPlaces:
    """The streams of events that a process holds at once: `total`, of a user and of an address less (0: any number)."""

    def __init__(self, total: int, per_user: int, per_address: int) -> None:
        self._limits = {"user": per_user, "address": per_address, "all": total}
        self._held: Counter[tuple[str, str]] = Counter()
        self._gate = threading.Lock()

    def take(self, user: str, address: str) -> Callable[[], None]:
        """A place, as what gives it back (once); LimitReached (429) or Unavailable (503) when there is none."""
        taken = (("user", user), ("address", network_of(address)), ("all", ""))
        with self._gate:
            for place in taken:
                self._check(place)
            self._held.update(taken)
        return partial(self._give_back, list(taken))

    def _check(self, place: tuple[str, str]) -> None:
        kind, limit = place[0], self._limits[place[0]]
        if not limit or self._held[place] < limit:
            return
        if kind == "all":
            raise _StreamsFull("There are too many streams of events; ask again later, or ask for the assets.")
        whose = "yours" if kind == "user" else "your address"
        raise LimitReached(
            f"{limit} streams of events of {whose} are open already; end one first.",
            code="limit.event_streams",
            retry_after_seconds=_StreamsFull.retry_after_seconds,
            limit=limit,
        )

    def _give_back(self, taken: list[tuple[str, str]]) -> None:
        with self._gate:
            while taken:
                place = taken.pop()
                self._held[place] -= 1
                if not self._held[place]:
                    del self._held[place]
