"""How the real claims behave with a thousand workers and a million tasks: documents with indexes, as databases have.

`python -m tests.simulation.scaling WORKERS TASKS OWNERS [LATENCY]` measures one case.
"""

from __future__ import annotations

import gc
import sys
import time
from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from mediaflow.domain.ids import derived_id
from mediaflow.domain.records import Task
from mediaflow.services.pipeline.claims import Claims
from mediaflow.services.pipeline.gate import LoadGate
from mediaflow.services.ports import Increment, Sum
from tests.simulation.determined import determined
from tests.simulation.faults import DatabaseDoor, Door, Faults, Trace
from tests.simulation.ports import MemoryDatabase, MemoryRepository
from tests.simulation.scheduler import START, Process, Scheduler

LANE: Final = "short"
BLOCK: Final = 256


@dataclass
class Received:
    """What an owner received, in the order in which it was begun: the index `owner, lane, started_at, seconds`."""

    starts: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    blocks: list[float] = field(default_factory=list)
    """Sums of `BLOCK` each."""

    def begin(self, at: float) -> int:
        """Another task; its place."""
        self.starts.append(at)
        self.seconds.append(0.0)
        if len(self.seconds) > BLOCK * len(self.blocks):
            self.blocks.append(0.0)
        return len(self.starts) - 1

    def add(self, place: int, seconds: float) -> None:
        self.seconds[place] += seconds
        self.blocks[place // BLOCK] += seconds

    def since(self, at: float) -> Sum:
        first = bisect_left(self.starts, at)
        block = -(-first // BLOCK)
        total = sum(self.seconds[first : block * BLOCK]) + sum(self.blocks[block:])
        return Sum(total, len(self.starts) - first)


class IndexedTasks(MemoryRepository[Task]):
    """Tasks with what the two indexes of claims give: waiting ones by owner and turn, what each owner received.

    `rows` are the entries of those indexes that a database would have read.
    """

    def __init__(self) -> None:
        super().__init__("tasks", Task, self._noted)
        self.waiting: dict[str, list[tuple[float, str]]] = {}
        """The last one of a list is the next: what is taken from the end costs nothing."""
        self.received: dict[str, Received] = defaultdict(Received)
        self.places: dict[str, int] = {}
        self.rows = 0

    def _noted(self, _table: str, before: Any, after: Any) -> None:
        was, now = before is not None and before.state == "pending", after.state == "pending"
        if was and not now:
            waiting = self.waiting[before.owner]
            del waiting[bisect_left(waiting, (-before.turn, before.id))]
            if not waiting:
                del self.waiting[before.owner]
            self.places[after.id] = self.received[after.owner].begin(after.started_at)
        if now and not was:
            insort(self.waiting.setdefault(after.owner, []), (-after.turn, after.id))
        if before is not None and after.seconds != before.seconds:
            self.received[after.owner].add(self.places[after.id], after.seconds - before.seconds)

    def find(
        self, where: Mapping[str, Any], *, sort: Sequence[str] = ("id",), skip: int = 0, limit: int | None = None
    ) -> list[Task]:
        assert limit is not None
        owner = where.get("owner") or next(iter(self.waiting), "")
        if where["lane"] != LANE or where.get("priority", 0) != 0:
            return []
        found = [self.records[record] for _, record in reversed(self.waiting.get(owner, ())[-limit:])]
        self.rows += len(found)
        return found

    def distinct(self, field: str, where: Mapping[str, Any]) -> list[str]:
        self.rows += len(self.waiting)
        return list(self.waiting)

    def sums(self, field: str, by: str, where: Mapping[str, Any]) -> dict[str, Sum]:
        since = where["started_at"].least
        found = {owner: self.received[owner].since(since) for owner in where["owner"].values}
        self.rows += sum(each.count for each in found.values())
        return {owner: each for owner, each in found.items() if each.count}


@dataclass
class Figures:
    """What so many workers did. `seconds` are real ones of one core, `virtual_seconds` those of the history."""

    workers: int
    owners: int
    tasks: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    """Claims that another worker was faster with."""
    idle: int = 0
    """Looks that found nothing although tasks waited."""
    rows: int = 0
    seconds: float = 0.0
    virtual_seconds: float = 1.0
    busy_seconds: float = 0.0
    done: Counter[str] = field(default_factory=Counter)
    """Tasks by owner, up to the moment when half of them was done."""

    @property
    def calls_a_task(self) -> float:
        return sum(self.calls.values()) / self.tasks

    @property
    def unfair(self) -> float:
        """How far apart the owners were at half time, as a part of what each had."""
        if len(self.done) < self.owners:
            return 1.0
        return (max(self.done.values()) - min(self.done.values())) * self.owners / max(1, sum(self.done.values()))

    def __str__(self) -> str:
        busy = self.busy_seconds / self.workers / self.virtual_seconds
        each = ", ".join(f"{name.removeprefix('tasks.')} {n / self.tasks:.2f}" for name, n in self.calls.most_common())
        return (
            f"{self.workers:5} workers {self.tasks:8} tasks {self.owners:5} owners: {self.calls_a_task:6.2f} calls a"
            f" task ({each}), {self.rows / self.tasks:8.0f} rows, {self.lost / self.tasks:6.3f} lost,"
            f" {self.idle / self.tasks:.3f} idle looks, {1e6 * self.seconds / self.tasks:5.0f} us of CPU,"
            f" {self.tasks / self.virtual_seconds:6.1f}/s, busy {busy:.2f},"
            f" unfair {self.unfair:.2f}"
        )


def measure(
    workers: int, tasks: int, owners: int = 100, *, latency: float = 0.002, longest_seconds: float = 120.0
) -> Figures:
    """Have so many workers of one load unit do so many tasks of a second each, or as many as fit into the time.

    A call takes `latency` seconds, half as long or half as much again.
    """
    scheduler = Scheduler(rng := Random(1))
    database = MemoryDatabase(scheduler.clock)
    kept = database.repositories["tasks"] = IndexedTasks()
    for number in reversed(range(tasks)):
        kept.insert(_task(number, f"owner{number % owners}"))
    found = Figures(workers, owners)
    gc.collect()
    gc.freeze()  # a million records are not looked through again and again
    began = time.process_time()

    class Counting(Door):
        def call(self, what: str, act: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> Any:
            found.calls[what] += 1
            scheduler.pause(latency * rng.uniform(0.5, 1.5))
            answer = act(*args, **named)
            found.lost += what == "tasks.change" and answer is None
            return answer

    def work(process: Process) -> None:
        door = Counting(process, scheduler, Faults(), Trace([]))
        claims = Claims(DatabaseDoor(door, database), LoadGate(1, process.elapsed), process.name)
        while kept.waiting and time.process_time() - began < longest_seconds:
            if (task := claims.best()) is None:
                found.idle += bool(kept.waiting)
                process.sleep(1.0)
                continue
            seconds = rng.uniform(0.5, 1.5)
            process.sleep(seconds)
            claims.write(task, {"state": "done", "result": {}, "seconds": Increment(seconds)})
            claims.done_with(task)
            found.tasks += 1
            found.busy_seconds += seconds
            if 2 * found.tasks <= tasks:
                found.done[task.owner] += 1
            found.virtual_seconds = scheduler.now - START

    with determined(rng), scheduler.ended():
        for number in range(workers):
            process = Process(f"w{number}", scheduler)
            scheduler.spawn(process.name, process, lambda process=process: work(process), rng.random())  # type: ignore[misc]
        scheduler.run(START + 1e9)
    gc.unfreeze()
    found.seconds, found.rows = time.process_time() - began, kept.rows
    return found


def _task(number: int, owner: str) -> Task:
    return Task(
        id=derived_id("task", number),
        job_id=derived_id("job", number // 10),
        asset_id=derived_id("asset", number // 10),
        owner=owner,
        generation=1,
        name="t",
        stage="step",
        state="pending",
        created_at=START,
        updated_at=START,
        ready=True,
        turn=START + number,
    )


def main(arguments: list[str]) -> int:
    """Measure one case, as long as it takes."""
    workers, tasks, owners = map(int, arguments[:3])
    latency = float(arguments[3]) if arguments[3:] else 0.002
    sys.stdout.write(f"{measure(workers, tasks, owners, latency=latency, longest_seconds=1e6)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
