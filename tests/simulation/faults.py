"""What goes wrong, decided by the seed at each call of a port, and the doors through which a process reaches them.

A door is one process's way to the documents or to the objects: it takes a turn, lets go wrong what is to go wrong, and
writes into the trace. After the process died a door changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from random import Random
from typing import Any, Final

from mediaflow.domain.errors import MediaflowError, Unavailable
from tests.simulation.ports import MemoryDatabase, MemoryRepository
from tests.simulation.scheduler import Crashed, Process, Scheduler
from tests.simulation.storage import MemoryStorage


@dataclass(slots=True)
class Faults:
    """How often what happens, a call: chances from 0 to 1. Those at the top are mutually exclusive."""

    crash: float = 0.0
    """The process dies, before or after what it was about to do."""
    stop: float = 0.0
    """The process stands still for longer than a lease, before or after."""
    stall: float = 0.0
    """The call alone takes longer than a lease."""
    away: float = 0.0
    """The other side does not answer; nothing was done, or all of it was."""
    slow: float = 0.05
    """The call takes seconds."""
    hint_lost: float = 0.1
    hint_twice: float = 0.1
    planned: dict[str, str] = field(default_factory=dict)
    """What befalls the next call of that name, for tests that tell one story: `crash before`, `away after`, ..."""

    @classmethod
    def drawn(cls, rng: Random) -> Faults:
        """Those of one history: a few kinds, each rare or frequent, so that histories get somewhere."""
        drawn = cls(slow=rng.choice((0.0, 0.02, 0.1)), hint_lost=rng.choice((0.0, 0.1, 1.0)))
        for kind in rng.sample(("crash", "stop", "stall", "away"), rng.choice((0, 1, 1, 2, 2, 3, 4))):
            setattr(drawn, kind, rng.choice(SHARES))
        return drawn

    def cease(self) -> None:
        """No more faults from here on."""
        for each in fields(self):
            setattr(self, each.name, {} if each.name == "planned" else 0.0)


SHARES: Final = (0.005, 0.01, 0.02, 0.05)
"""How often each kind of fault may be, a call that writes."""
LOOKS: Final = (".get", ".peek", ".find", ".count", ".total", ".sums", ".distinct", ".stat", ".list", ".read")
"""Calls that only look."""
MOST_WRONG: Final = 0.3
"""All of them together, and slow calls, are never more."""
LONG: Final = (31.0, 33.0, 45.0, 100.0)
"""Seconds that something stands still: longer than a lease, which is what is hard."""
SHORT: Final = (0.001, 0.002, 0.005, 0.02, 0.05, 0.2)


@dataclass
class Trace:
    """What happened, as tuples; made readable only when somebody wants to read it."""

    entries: list[tuple[Any, ...]]

    def add(self, *entry: Any) -> None:
        self.entries.append(entry)


@dataclass(slots=True, eq=False)
class Door:
    """One process's way out."""

    process: Process
    scheduler: Scheduler
    faults: Faults
    trace: Trace

    def call(self, what: str, act: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Do it in its turn, unless the seed wants otherwise."""
        process, scheduler = self.process, self.scheduler
        if process.dead:
            raise Crashed(process.name)
        rng, actor = scheduler.rng, scheduler.current
        wrong, after = self._wrong(what, rng, by_chance=actor is not None)
        scheduler.pause(SHORT[int(rng.random() * len(SHORT))] if wrong != "slow" else rng.uniform(0.5, 8.0))
        if wrong is not None and wrong != "slow":
            self.trace.add(scheduler.now, actor, "FAULT", f"{wrong} {'after' if after else 'before'} {what}", (), None)
        if wrong is not None:
            lasting = max(LONG) if wrong in ("stop", "stall") else 0.0
            process.disturbed_at = max(process.disturbed_at, scheduler.now + lasting)
        if wrong is not None and not after:
            self._befall(wrong, what, rng)
        try:
            answer = act(*args, **named)
        except MediaflowError as error:
            self.trace.add(scheduler.now, actor, what, "", args, error)
            raise
        self.trace.add(scheduler.now, actor, what, "", args, answer)
        if after:
            self._befall(wrong or "", what, rng)
        return answer

    def _wrong(self, what: str, rng: Random, *, by_chance: bool) -> tuple[str | None, bool]:
        """What befalls the call, and whether that is after it was done."""
        faults = self.faults
        if (planned := faults.planned.pop(what, None)) is not None:
            kind, _, moment = planned.partition(" ")
            return kind, moment == "after"
        chance = rng.random() if by_chance else 1.0
        if what.endswith(LOOKS):
            chance *= 5.0  # around writes there is more to find
        if chance >= MOST_WRONG:
            return None, False
        for kind in ("crash", "stop", "stall", "away", "slow"):
            share = getattr(faults, kind)
            if chance < share:
                return kind, kind != "slow" and rng.random() < 0.5
            chance -= share
        return None, False

    def _befall(self, wrong: str, what: str, rng: Random) -> None:
        if wrong == "crash":
            self.process.kill()
            raise Crashed(self.process.name)
        if wrong == "stop":
            self.process.stopped_until = self.scheduler.now + rng.choice(LONG)
            self.scheduler.pause(0.0)
        if wrong == "stall":
            self.scheduler.pause(rng.choice(LONG))
        if wrong == "away":
            raise Unavailable(f"{what} was not answered.")


def _through(what: str) -> Any:
    """A method that goes through the door to the one of that name behind it."""

    def call(self: Any, *args: Any, **named: Any) -> Any:
        return self.door.call(f"{self.name}.{what}", getattr(self.behind, what), args, named)

    return call


class RepositoryDoor:
    """The records of one kind, as a process reaches them."""

    insert, get, peek, change = _through("insert"), _through("get"), _through("peek"), _through("change")
    find, count, total, sums = _through("find"), _through("count"), _through("total"), _through("sums")
    distinct, remove = _through("distinct"), _through("remove")

    def __init__(self, door: Door, repository: MemoryRepository[Any]) -> None:
        self.door, self.behind, self.name = door, repository, repository.table

    def insert_all(self, records: Sequence[Any]) -> None:
        """Something may befall it after any of them."""
        for record in records:
            self.insert(record)


class DatabaseDoor:
    """The documents, as a process reaches them."""

    def __init__(self, door: Door, database: MemoryDatabase) -> None:
        self.now, self.ping, self.close = database.now, database.ping, database.close
        self._doors = {table: RepositoryDoor(door, repository) for table, repository in database.repositories.items()}

    def __getattr__(self, table: str) -> Any:
        try:
            door = self.__dict__["_doors"][table]
        except KeyError:
            raise AttributeError(table) from None
        self.__dict__[table] = door
        return door


class StorageDoor:
    """The objects, as a process reaches them. A body's blocks come while the object is written."""

    name = "storage"
    min_part_bytes = 1
    put, stat, delete, move = _through("put"), _through("stat"), _through("delete"), _through("move")
    begin_parts, put_part = _through("begin_parts"), _through("put_part")
    complete_parts, abort_parts = _through("complete_parts"), _through("abort_parts")

    def __init__(self, door: Door, storage: MemoryStorage) -> None:
        self.door, self.behind = door, storage

    def read(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        blocks: Sequence[bytes] = self.door.call(
            "storage.read", lambda key: list(self.behind.read(key, offset=offset, length=length)), (key,), {}
        )
        return iter(blocks)

    def list(self, prefix: str) -> Iterator[Any]:
        found: Sequence[Any] = self.door.call("storage.list", lambda p: list(self.behind.list(p)), (prefix,), {})
        return iter(found)
