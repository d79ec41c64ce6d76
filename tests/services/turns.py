"""Interleavings: several things done at once, one small step at a time, in an order that a test decides.

A step is one call to a repository or to the storage: what happens between two of them is what others can come into.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, Final

PATIENCE_SECONDS: Final = 20.0
REPOSITORIES: Final = ("assets", "blobs", "chunks", "jobs", "tasks", "uploads")


class Stepped:
    """The thing itself, except that each call of its methods waits for its turn first."""

    def __init__(self, thing: Any, before: Callable[[], None]) -> None:
        self._thing, self._before = thing, before

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._thing, name)
        if name in REPOSITORIES:
            return Stepped(found, self._before)
        if not callable(found):
            return found

        def call(*args: Any, **named: Any) -> Any:
            self._before()
            return found(*args, **named)

        return call


class Actor:
    """Something that is done step by step in a thread of its own."""

    def __init__(self, act: Callable[[Callable[[], None]], object]) -> None:
        self.ended = False
        self.error: BaseException | None = None
        self._may_go, self._stands = threading.Semaphore(0), threading.Semaphore(0)
        self._act = act
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Go to before the first step."""
        self._thread.start()
        self._wait()

    def step(self) -> None:
        """Do one step, and stand before the next one or end."""
        self._may_go.release()
        self._wait()

    def _wait(self) -> None:
        assert self._stands.acquire(timeout=PATIENCE_SECONDS), "a step hangs"

    def _run(self) -> None:
        try:
            self._act(self._turn)
        except BaseException as error:  # the test raises it in its own thread
            self.error = error
        self.ended = True
        self._stands.release()

    def _turn(self) -> None:
        self._stands.release()
        assert self._may_go.acquire(timeout=PATIENCE_SECONDS), "nobody gives a turn"


def interleave(actors: list[Actor], order: Iterable[int], check: Callable[[], None]) -> None:
    """Run all to their ends: `order` says whose turn it is as long as it lasts. `check` looks after each step."""
    for actor in actors:
        actor.start()
    for number in [*order, *([0] * 10_000)]:
        going = [actor for actor in actors if not actor.ended]
        if not going:
            break
        going[number % len(going)].step()
        check()
    for actor in actors:
        if actor.error is not None:
            raise actor.error
