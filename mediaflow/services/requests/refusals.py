"""Refused credentials in the audit log: one entry for an address, a kind and a minute, which counts the others.

An entry for each filled the log with 1.1 GiB a day and address. The first is written at once; how many followed is
written a few seconds later, with the next one, or when the log is read or closed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from mediaflow.domain.ids import derived_id
from mediaflow.domain.requestrecords import AuditEntry
from mediaflow.services.ports import Database
from mediaflow.services.requests.rate_limits import network_of

MINUTE_SECONDS: Final = 60
WRITE_SECONDS: Final = 5.0
MOST_ADDRESSES: Final = 100
"""So many pairs of address and kind have an entry of their own in a minute; all others share one for each kind."""
OTHERS: Final = "others"

Key = tuple[str, str, int]
"""Network, kind, minute."""


@dataclass(slots=True)
class _Tally:
    """What is not written yet. `begun`: the entry is there."""

    written_at: float
    begun: bool = False
    unwritten: int = 0


@dataclass(frozen=True, slots=True)
class Refusals:
    """Counts refused credentials. Several processes share the entries: their ids follow from the key."""

    database: Database
    clock: Callable[[], float] = time.time
    _tallies: dict[Key, _Tally] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def add(self, address: str, kind: str, make: Callable[[], AuditEntry]) -> None:
        """Keep the entry that `make` makes when it is the first of its key, else count it."""
        now = self.clock()
        minute = int(now // MINUTE_SECONDS)
        with self._lock:
            over = self._taken(lambda key, tally: key[2] != minute or now - tally.written_at >= WRITE_SECONDS, now)
            self._forget(minute)
            key = self._key(network_of(address), kind, minute)
            tally = self._tallies.setdefault(key, _Tally(now))
            tally.unwritten += tally.begun
            begun = tally.begun
        if not begun:
            self._begin(key, make())
            tally.begun = True
        self._write(over)

    def write(self) -> None:
        """Write every count that is not written yet."""
        with self._lock:
            taken = self._taken(lambda *_: True, self.clock())
        self._write(taken)

    def _key(self, network: str, kind: str, minute: int) -> Key:
        key = (network, kind, minute)
        return key if key in self._tallies or len(self._tallies) < MOST_ADDRESSES else (OTHERS, kind, minute)

    def _taken(self, due: Callable[[Key, _Tally], bool], now: float) -> dict[Key, int]:
        """The counts to write, which then are zero here."""
        taken = {key: tally.unwritten for key, tally in self._tallies.items() if tally.unwritten and due(key, tally)}
        for key in taken:
            self._tallies[key].unwritten, self._tallies[key].written_at = 0, now
        return taken

    def _forget(self, minute: int) -> None:
        for key in [key for key in self._tallies if key[2] != minute]:
            del self._tallies[key]

    def _begin(self, key: Key, entry: AuditEntry) -> None:
        address = None if key[0] == OTHERS else entry.address
        if not self.database.audit.insert(replace(entry, id=_entry_id(key), address=address)):
            self._write({key: 1})  # another process was first

    def _write(self, counts: dict[Key, int]) -> None:
        for key, more in counts.items():
            while (known := self.database.audit.get(_entry_id(key))) is not None:
                detail = {**known.detail, "count": known.detail.get("count", 1) + more}
                if self.database.audit.change(known.id, {"rev": known.rev}, {"detail": detail}):
                    break


def _entry_id(key: Key) -> str:
    return derived_id("refused", *key)
