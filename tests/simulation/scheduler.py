"""Time and turns: every actor is a greenlet, one goes on at a time, and which one follows from the seed alone.

An actor gives its turn back before each call of a port (`pause`). The clock is virtual: it leaps to the next actor's
moment. A process is what dies and stands still as a whole, with all actors in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random
from typing import Any, Final

from greenlet import getcurrent, greenlet

from mediaflow.domain.errors import MediaflowError

START: Final = 1_700_000_000.0
"""When every history begins, in seconds since the epoch."""
FOREVER: Final = 1e10


class Crashed(BaseException):
    """The process is dead. Nothing under test catches it, and what its `finally` does reaches no port."""


@dataclass(eq=False)
class Process:
    """A process of a host. Its own clock (`elapsed`) starts anywhere and runs a little fast or slow."""

    name: str
    scheduler: Scheduler
    offset: float = 0.0
    rate: float = 1.0
    dead: bool = False
    stopped_until: float = 0.0
    disturbed_at: float = 0.0
    """When something went wrong for it last."""
    stopping: bool = False
    """It was asked to end: what runs is given back."""

    def elapsed(self) -> float:
        """What `time.monotonic` says here."""
        return self.offset + self.scheduler.now * self.rate

    def sleep(self, seconds: float) -> None:
        """What `time.sleep` does here."""
        if self.dead:
            raise Crashed(self.name)
        self.scheduler.pause(seconds)

    def kill(self) -> None:
        """End it here and now: each of its actors ends at its next turn."""
        self.dead = True

    def asked_to_end(self) -> None:
        """End it as a deployment does: what runs is given back, and then it is over."""
        self.stopping = True
        self.scheduler.pause(10.0)
        self.kill()


@dataclass(eq=False)
class Actor:
    """Something that goes on by itself. `error` is what it ended with, if that was no answer."""

    name: str
    process: Process
    run: greenlet
    wake_at: float
    ended: bool = False
    answer: Any = None
    error: BaseException | None = None
    waiters: list[Actor] = field(default_factory=list)
    turn: int = 0


class Scheduler:
    """Runs actors until it is told to stop."""

    def __init__(self, rng: Random) -> None:
        self.rng, self.now = rng, START
        self.actors: dict[Any, Actor] = {}
        self.hub = getcurrent()
        self.stopping = False
        self.turns = 0
        self.unexpected: Callable[[Actor, BaseException], None] = lambda _actor, _error: None
        """Told of an actor that ended with an error that is none of ours."""
        self._heap: list[tuple[float, int, int, Actor]] = []
        self._number = 0

    def clock(self) -> float:
        """The time, which is the database's."""
        return self.now

    @property
    def current(self) -> Actor | None:
        """Whose turn it is; None for whoever runs the history itself."""
        return self.actors.get(getcurrent())

    # --- actors

    def spawn(self, name: str, process: Process, act: Callable[[], object], after: float = 0.0) -> Actor:
        """Have something go on in a process, from so many seconds on."""

        def run() -> None:
            try:
                actor.answer = act()
            except BaseException as error:
                actor.error = error
                if not isinstance(error, (MediaflowError, Crashed)):
                    self.unexpected(actor, error)
            actor.ended = True
            for waiter in actor.waiters:
                self._schedule(waiter, self.now)
            del self.actors[actor.run]

        actor = Actor(name, process, greenlet(run, parent=self.hub), self.now + after)
        self.actors[actor.run] = actor
        self._schedule(actor, actor.wake_at)
        return actor

    def pause(self, seconds: float) -> None:
        """Give the turn back, and go on when so many seconds have passed."""
        actor = self.actors.get(getcurrent())
        if actor is None:
            self.now += seconds
            return
        self._schedule(actor, self.now + seconds)
        self._away(actor)

    def wait(self, other: Actor, seconds: float) -> bool:
        """Wait for another's end; False when that takes longer."""
        actor = self.actors[getcurrent()]
        if not other.ended:
            other.waiters.append(actor)
            self._schedule(actor, self.now + seconds)
            self._away(actor)
        return other.ended

    def wake(self, actor: Actor, after: float) -> None:
        """Have who pauses go on so soon."""
        if not actor.ended:
            self._schedule(actor, self.now + after)

    def stop(self) -> None:
        """Have `run` come back; whoever called this never goes on."""
        self.stopping = True
        if getcurrent() is not self.hub:
            self.hub.switch()

    def _away(self, actor: Actor) -> None:
        self.hub.switch()
        if actor.process.dead:
            raise Crashed(actor.process.name)

    def _schedule(self, actor: Actor, at: float) -> None:
        actor.wake_at = at
        actor.turn += 1  # an earlier appointment of it is void
        self._number += 1
        heappush(self._heap, (at, self._number, actor.turn, actor))

    # --- the history

    def run(self, until: float) -> None:
        """Let actors go on up to that moment, or until `stop`."""
        while self._heap and self._heap[0][0] <= until and not self.stopping:
            at, _, turn, actor = heappop(self._heap)
            if turn != actor.turn or actor.ended:
                continue
            self.now = max(self.now, at)
            process = actor.process
            if process.stopped_until > self.now and not process.dead:
                # all that stood still go on at once, in any order
                self._schedule(actor, process.stopped_until + self.rng.random() * 0.05)
                continue
            self.turns += 1
            actor.run.switch()
        if not self.stopping:
            self.now = max(self.now, until)

    @contextmanager
    def ended(self) -> Iterator[None]:
        """Around a history: afterwards no greenlet is left."""
        try:
            yield
        finally:
            for actor in list(self.actors.values()):
                actor.process.dead = True
                if actor.run:
                    actor.run.throw(Crashed)
            self.actors.clear()
