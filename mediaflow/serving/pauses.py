"""Answers that wait: for an event, for a segment that is being made. On our web server they hold no thread then."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Pause(bytes):
    """No bytes: a part of an answer that is awaited. `wake` ends it from any thread, and so does the time.

    A body is written as `yield pause` and then `pause.wait()`. Our web server goes on with it when the pause is over,
    so that `wait` returns at once; under another server, or in a test's client, it blocks. A body whose first part is a
    pause may call `start_response` after it (PEP 3333 allows that before the first bytes). When the server is told to
    stop, all pauses end, and another one ends the answer.
    """

    def __new__(cls, seconds: float) -> Pause:  # noqa: ARG004 - the time is no part of the bytes
        return super().__new__(cls)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._gate = threading.Lock()
        self._over = threading.Event()
        self._resume: Callable[[], None] | None = None

    # no two are the same, though all are no bytes: they can be kept in sets
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def wake(self) -> None:
        """End the pause; afterwards nothing."""
        with self._gate:
            self._over.set()
            resume, self._resume = self._resume, None
        if resume is not None:
            resume()

    def wait(self) -> None:
        """Return when it was woken, or its time is over."""
        self._over.wait(self.seconds)
        self._over.set()

    def park(self, resume: Callable[[], None]) -> None:
        """Call `resume` once when it is woken, at once when it was."""
        with self._gate:
            if not self._over.is_set():
                self._resume = resume
                return
        resume()
