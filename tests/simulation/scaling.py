"""How the real claims behave with a thousand workers and very many tasks: documents with indexes, as databases have."""

from __future__ import annotations

import time
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from mediaflow.domain.ids import derived_id
from mediaflow.domain.records import Task
from mediaflow.services.pipeline.claims import Claims
from mediaflow.services.pipeline.gate import LoadGate
from tests.simulation.faults import DatabaseDoor, Door, Faults, Trace
from tests.simulation.ports import MemoryDatabase, MemoryRepository
from tests.simulation.scheduler import START, Process, Scheduler

LANE: Final = "short"


class IndexedTasks(MemoryRepository[Task]):
    """Tasks with what the two indexes of claims give: waiting ones by owner and turn, what each owner received."""

    def __init__(self) -> None:
        super().__init__("tasks", Task, self._noted)
        self.waiting: dict[str, list[tuple[float, str]]] = defaultdict(list)
        self.received: dict[str, float] = defaultdict(float)

    def _noted(self, _table: str, before: Any, after: Any) -> None:
        was, now = before is not None and before.state == "pending", after is not None and after.state == "pending"
        if was and not now:
            place = self.waiting[before.owner]
            del place[bisect_left(place, (before.turn, before.id))]
            if not place:
                del self.waiting[before.owner]
        if now and not was:
            insort(self.waiting[after.owner], (after.turn, after.id))
        if after is not None:
            self.received[after.owner] += after.seconds - (0.0 if before is None else before.seconds)

    def candidates(self, where: Mapping[str, Any]) -> Iterable[Task]:
        owners = [where["owner"]] if "owner" in where else list(self.waiting)[:1]
        return [self.records[record] for owner in owners for _, record in self.waiting.get(owner, ())[:64]]

    def find(
        self, where: Mapping[str, Any], *, sort: Sequence[str] = ("id",), skip: int = 0, limit: int | None = None
    ) -> list[Task]:
        if where.get("lane") != LANE:
            return []
        return super().find(where, sort=sort, skip=skip, limit=limit)

    def distinct(self, field: str, where: Mapping[str, Any]) -> list[str]:
        return list(self.waiting)

    def total(self, field: str, where: Mapping[str, Any]) -> float:
        return self.received[where["owner"]]


@dataclass(frozen=True)
class Figures:
    """`lost` are claims that another worker was faster with; seconds are real ones of one core."""

    workers: int
    tasks: int
    calls: int
    lost: int
    seconds: float
    virtual_seconds: float

    def __str__(self) -> str:
        return (
            f"{self.workers:5} workers, {self.tasks} tasks: {self.calls / self.tasks:.1f} calls a task, "
            f"{self.lost / self.tasks:.2f} lost claims a task, {1e6 * self.seconds / self.tasks:.0f} us a task, "
            f"{self.tasks / self.virtual_seconds:.0f} tasks a virtual second"
        )


def measure(workers: int, tasks: int, owners: int = 100, longest_seconds: float = 120.0) -> Figures:
    """Have so many workers of one load unit do so many tasks of a second each, or as many as fit into the time."""
    scheduler = Scheduler(rng := Random(1))
    database = MemoryDatabase(scheduler.clock)
    kept = database.repositories["tasks"] = IndexedTasks()
    for number in range(tasks):
        kept.insert(_task(number, f"owner{number % owners}"))
    done = calls = lost = 0
    began = time.process_time()

    class Counting(Door):
        def call(self, what: str, act: Any, args: Any, named: Any) -> Any:
            nonlocal calls, lost
            calls += 1
            answer = super().call(what, act, args, named)
            lost += what == "tasks.change" and answer is None
            return answer

    def work(process: Process) -> None:
        nonlocal done
        trace = Trace([])
        claims = Claims(
            DatabaseDoor(Counting(process, scheduler, Faults(slow=0.0), trace), database),
            LoadGate(1, process.elapsed),
            process.name,
        )
        while kept.waiting and time.process_time() - began < longest_seconds:
            trace.entries.clear()
            if (task := claims.best()) is None:
                process.sleep(1.0)
                continue
            process.sleep(rng.uniform(0.5, 1.5))
            claims.write(task, {"state": "done", "result": {}})
            claims.done_with(task)
            done += 1

    with scheduler.ended():
        for number in range(workers):
            process = Process(f"w{number}", scheduler)
            scheduler.spawn(process.name, process, lambda process=process: work(process), rng.random())  # type: ignore[misc]
        scheduler.run(START + 1e6)
    last = max((task.updated_at for task in kept.records.values()), default=START)
    return Figures(workers, max(done, 1), calls, lost, time.process_time() - began, max(1.0, last - START))


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
