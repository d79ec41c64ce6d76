"""Segments that are asked for before they are made: who waits for one is woken when it is there.

One look a turn finds out for all who wait in this process, so that a thousand of them cost as much as one.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import structlog

from mediaflow.domain.errors import MediaflowError, Unavailable
from mediaflow.services.delivery.wanted import Wanted
from mediaflow.services.ports import Database, Metrics, OneOf

_log = structlog.get_logger(__name__)
LONGEST_SECONDS: Final = 9.0
"""Players give up a request after 10 s, and some never ask again (measured: shaka-player stops)."""
LOOK_SECONDS: Final = 0.1
MOST: Final = 500
"""So many segments are waited for in one process; whoever asks for another one is refused at once."""
MOST_OF_ONE: Final = 100
"""So many of them are one asset's: who asks for all that a film will have keeps nobody from another. Of one owner's
assets no more are than places are left: one has a half at most, of two who want more each a third; some are left.
"""
OUTCOMES: Final = ("made", "refused", "gone", "left")
"""How waiting ends: the segment is sent; who waited is told to ask again; it may not be watched any more; the client
is gone before.
"""


class Awaited(NamedTuple):
    """The id of a segment's record, and whose it is."""

    segment: str
    asset: str
    owner: str


class NotMade(Unavailable):
    """A segment of an owner's asset that will be there, but is not yet; nor is that of the `sound` beside it."""

    default_code = "stream.not_made"
    retry_after_seconds = 2

    def __init__(self, wanted: Wanted, owner: str, sound: Wanted | None = None) -> None:
        super().__init__("This part of the video is being made; ask again.")
        self.wanted = wanted
        self.awaited = Awaited(wanted.id, wanted.asset_id, owner)
        self.sound = sound


@dataclass(slots=True)
class Awaiting:
    """Who waits for which segment in this process. `close` at the end."""

    database: Database
    metrics: Metrics
    _waiting: dict[Awaited, set[Callable[[], None]]] = field(default_factory=lambda: defaultdict(set))
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _thread: threading.Thread | None = None
    _closed: bool = False

    def join(self, awaited: Awaited, wake: Callable[[], None]) -> bool:
        """Have `wake` called once when the segment is there; False when too many are waited for. `leave` at the end."""
        with self._changed:
            if self._closed or not self._has_room(awaited):
                return False
            self._waiting[awaited].add(wake)
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="segments", daemon=True)
                self._thread.start()
            self._changed.notify()
        return True

    def _has_room(self, awaited: Awaited) -> bool:
        if awaited in self._waiting:
            return True
        of_asset = sum(other.asset == awaited.asset for other in self._waiting)
        of_owner = sum(other.owner == awaited.owner for other in self._waiting)
        return of_asset < MOST_OF_ONE and of_owner < MOST - len(self._waiting)

    def leave(self, awaited: Awaited, wake: Callable[[], None]) -> None:
        """Wait no more."""
        with self._changed:
            waiting = self._waiting.get(awaited, set())
            waiting.discard(wake)
            if not waiting:
                self._waiting.pop(awaited, None)

    def ended(self, outcome: str, seconds: float) -> None:
        """Count a request that has waited so long, or was refused at once (0), by one of `OUTCOMES`."""
        self.metrics.observe("mediaflow_demand_wait_seconds", seconds, outcome=outcome)

    def close(self) -> None:
        """Look no more."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _look(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                wanted = {awaited.segment: awaited for awaited in self._waiting}
            for segment in self._found(tuple(wanted)):
                with self._changed:
                    woken = self._waiting.pop(wanted[segment], set())
                for wake in woken:
                    wake()
            time.sleep(LOOK_SECONDS)

    def _found(self, wanted: tuple[str, ...]) -> list[str]:
        try:
            return [each.id for each in self.database.segments.find({"id": OneOf(wanted)})]
        except MediaflowError as error:
            _log.warning("segments are not looked for", detail=error.detail)
        except Exception:  # noqa: BLE001 - whoever waits here later is woken by this thread too
            _log.warning("segments are not looked for", exc_info=True)
        return []
