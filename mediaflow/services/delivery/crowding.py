"""Whether more would be waited for than can be made: who begins to watch then is offered what is made in any case."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from mediaflow.domain.publication import Publication
from mediaflow.domain.queue import READY_PIECES
from mediaflow.domain.states import WORK_ACTIVE
from mediaflow.services.ports import Below, Database, OneOf

CROWDED_SECONDS: Final = 3.0
"""A piece that waited so long for a worker comes too late for who waits for it."""
OFFERED_SECONDS: Final = 10.0
"""So long viewers count who were offered all sizes, whether they have asked for a piece yet or not: players begin with
a small size that is there, and go up together (measured: of 20 that began at once on two cores all stood still).
"""
VIEWERS_PER_CORE: Final = 2
"""Not all of them are where nobody has been before, and most sizes take less than a core. With three, six of twenty who
began together stood still for up to 26 s (measured).
"""
LEAST_VIEWERS: Final = 4
"""Some players fetch a playlist twice, and people load a page again."""
LOOK_SECONDS: Final = 1.0
REMEMBERED: Final = 1000


class Beginner(NamedTuple):
    """Who begins to watch, as far as it counts: what of (its owner), and from where."""

    owner: str
    address: str


@dataclass(slots=True)
class Crowding:
    """Lets so many `viewers` at once begin with all sizes, of what is not all made yet: there each may take a core.

    Where those of several owners or addresses meet, each is sure of a share: one who fills the room keeps nobody from
    another's. The queue is looked at once a second at most, with two queries by indexes. Safe in any number of threads.
    """

    database: Database
    viewers: int
    elapsed: Callable[[], float] = time.monotonic
    _looked_at: float = float("-inf")
    _late: Collection[str] = ()
    """Owners of whose assets a piece has waited too long."""
    _underway: Mapping[str, int] = field(default_factory=dict)
    """How many pieces of an owner's assets wait or run."""
    _offered: deque[tuple[float, Beginner]] = field(default_factory=deque)
    _made: dict[str, tuple[float, bool]] = field(default_factory=dict)
    """When each asset was looked at last, and whether all of it was made."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def may_offer(self, asset: str, shown: Publication, who: Beginner, *, begins: bool = True) -> bool:
        """True for who may be offered all sizes. If that one `begins` it counts from now on, unless all is made.

        False when a piece of the same owner's was not begun in time, or as many viewers as there may be have been
        offered them, or wait for pieces; of other owners and addresses no more count than their share.
        """
        return self._is_made(asset, shown) or self._has_room(who, begins=begins)

    def _is_made(self, asset: str, shown: Publication) -> bool:
        """Counted by an index alone, once a second for all who ask: a day of video has 150,000 segments."""
        now = self.elapsed()
        looked_at, is_made = self._made.get(asset, (float("-inf"), False))
        if now - looked_at < LOOK_SECONDS:
            return is_made
        awaited = shown.awaited
        segments = {"asset_id": asset, "generation": shown.generation, "track": OneOf(tuple(awaited))}
        # each track has an init segment besides
        is_made = self.database.segments.count(segments) >= sum(awaited.values()) + len(awaited)
        with self._lock:
            if len(self._made) >= REMEMBERED:
                self._made.clear()
            self._made[asset] = (now, is_made)
        return is_made

    def _has_room(self, who: Beginner, *, begins: bool) -> bool:
        with self._lock:
            now = self.elapsed()
            if now - self._looked_at >= LOOK_SECONDS:
                self._look(now)
            while self._offered and now - self._offered[0][0] >= OFFERED_SECONDS:
                self._offered.popleft()
            offered = Counter(beginner for _, beginner in self._offered)
            load = max(self._load(who, offered), self._load(who.owner, self._underway))
            if who.owner in self._late or load >= self.viewers:
                return False
            if begins:
                self._offered.append((now, who))
            return True

    def _load(self, mine: Hashable, counts: Mapping[Any, int]) -> float:
        """All of one's own, and of each of the others at most a share."""
        others = [count for who, count in counts.items() if who != mine]
        share = max(1.0, self.viewers / (1 + len(others)))
        return counts.get(mine, 0) + sum(min(count, share) for count in others)

    def _look(self, now: float) -> None:
        self._looked_at, began = now, self.database.now() - CROWDED_SECONDS
        late = {**READY_PIECES, "state": "pending", "created_at": Below(began)}
        self._late = self.database.tasks.distinct("owner", late)
        underway = self.database.tasks.sums("weight", "owner", {**READY_PIECES, "state": OneOf(WORK_ACTIVE)})
        self._underway = {owner: found.count for owner, found in underway.items()}
