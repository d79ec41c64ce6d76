"""What is new, for all who follow it in this process: one thread asks, only while somebody follows."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from mediaflow.domain.errors import MediaflowError
from mediaflow.domain.events import Event
from mediaflow.services.events.log import MOST, EventLog
from mediaflow.services.following.running import HowFar, RunningWork
from mediaflow.services.ports import Database

_log = structlog.get_logger(__name__)
TURN_SECONDS: Final = 0.5
"""Between two looks at the log; at running work in every second turn."""
TROUBLE_SECONDS: Final = 2.0
KEPT: Final = 2000
"""So many events are kept in memory; who is further behind reads the log itself."""
WOKEN_AT_ONCE: Final = 100
BREATH_SECONDS: Final = 0.01
"""Between waking so many: those who follow nothing are served, too."""


@dataclass(frozen=True, slots=True)
class Interest:
    """What somebody follows: what happens to an owner's assets (None: everybody's), or to one of them only."""

    owner: str | None = None
    asset_id: str | None = None

    def takes(self, owner: str, asset_id: str | None) -> bool:
        """Is it about that asset?"""
        return self.owner in (None, owner) and self.asset_id in (None, asset_id)


@dataclass(slots=True, eq=False)
class Follower:
    """Somebody who follows: `wake` is called, from another thread, when there is news for them."""

    interest: Interest
    wake: Callable[[], None]


class News:
    """Followers come and go; what they have not seen yet is asked for by number, so that nothing is kept for each."""

    def __init__(self, database: Database) -> None:
        self._log, self._work = EventLog(database), RunningWork(database)
        self._gate = threading.Lock()
        self._followers: dict[Follower, None] = {}
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._turns = 0
        self._last = 0
        self._recent: list[Event] = []
        self._stands: dict[str, tuple[int, HowFar]] = {}

    @property
    def last(self) -> int:
        """The number of the newest event that is known here; all before it are."""
        return self._last

    def join(self, follower: Follower) -> None:
        """From now on there is news for them. Unavailable when the database does not answer."""
        with self._gate:
            if self._thread is None:
                self._last, self._recent, self._stands = self._log.last(), [], {}
                self._work.forget()
                self._thread = threading.Thread(target=self._run, name="news", daemon=True)
                self._thread.start()
            self._followers[follower] = None

    def leave(self, follower: Follower) -> None:
        """No more news for them; whoever left before may leave again."""
        with self._gate:
            self._followers.pop(follower, None)

    def close(self) -> None:
        """End the thread."""
        self._stopped.set()
        if (thread := self._thread) is not None:
            thread.join(5)

    # --- for those who follow

    def remembers(self, number: int) -> bool:
        """Is all that followed that number still there? Not when it was removed, or the number is of another log."""
        return self._log.first() - 1 <= number <= self._log.last()

    def events(self, interest: Interest, after: int) -> tuple[list[Event], int]:
        """The next events after that number, some or all, and the number up to which that is all there was."""
        with self._gate:
            recent, last = self._recent, self._last
        start = recent[0].number if recent else None
        if after >= last:
            return [], after
        if start is not None and after + 1 >= start:
            fresh = recent[bisect_right(recent, after, key=_number) :]
            return [each for each in fresh if interest.takes(each.owner, each.asset_id)], last
        found = self._log.after(after, owner=interest.owner, asset_id=interest.asset_id)
        return found, _number(found[-1]) if len(found) >= MOST else max(last, *map(_number, found), 0)

    def stands(self, interest: Interest, after: int) -> tuple[list[HowFar], int]:
        """How far those are of which that changed after that turn, and the turn that it is now."""
        with self._gate:
            stands, turns = list(self._stands.values()), self._turns
        return [each for turn, each in stands if turn > after and interest.takes(each.owner, each.asset_id)], turns

    # --- the thread

    def _run(self) -> None:
        while not self._stopped.wait(self._turn_and_wait()):
            with self._gate:
                if not self._followers:
                    self._thread = None
                    return

    def _turn_and_wait(self) -> float:
        try:
            self.turn()
        except MediaflowError as error:
            _log.warning("no news", reason=error.detail)
            return TROUBLE_SECONDS
        except Exception:  # noqa: BLE001 - who follows is told again as soon as it works
            _log.exception("news failed")
            return TROUBLE_SECONDS
        return TURN_SECONDS

    def turn(self) -> None:
        """Look what is new, and wake those whom it concerns."""
        turn = self._turns + 1
        fresh, stands = self._fresh(), self._work.changes(self._owners()) if turn % 2 else None
        with self._gate:
            self._turns = turn
            if fresh:
                self._recent = [*self._recent, *fresh][-KEPT:]
                self._last = _number(fresh[-1])
            if stands is not None:
                self._stands = {name: kept for name, kept in self._stands.items() if name in self._work.told}
                self._stands |= {each.asset_id: (turn, each) for each in stands}
        self._wake([*fresh, *(stands or ())])

    def _wake(self, about: Sequence[Event | HowFar]) -> None:
        owners, assets = {each.owner for each in about}, {each.asset_id for each in about}
        with self._gate:
            woken = [each for each in self._followers if about and _concerned(each.interest, owners, assets)]
        for number, follower in enumerate(woken, 1):
            follower.wake()
            if number % WOKEN_AT_ONCE == 0:
                self._stopped.wait(BREATH_SECONDS)

    def _fresh(self) -> list[Event]:
        found = some = self._log.after(self._last)
        while len(some) >= MOST and len(found) < KEPT:
            some = self._log.after(_number(found[-1]))
            found = [*found, *some]
        return found

    def _owners(self) -> set[str] | None:
        with self._gate:
            owners = {follower.interest.owner for follower in self._followers}
        return None if None in owners else {owner for owner in owners if owner is not None}


def _number(event: Event) -> int:
    return event.number or 0


def _concerned(interest: Interest, owners: set[str], assets: set[str | None]) -> bool:
    if interest.asset_id is not None:
        return interest.asset_id in assets
    return interest.owner is None or interest.owner in owners
