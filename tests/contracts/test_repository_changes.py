"""The contract of `mediaflow.services.ports.Database`: changes are compare-and-set, and lose nothing side by side."""

from __future__ import annotations

import multiprocessing
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from mediaflow.domain.ids import new_id
from mediaflow.services.ports import (
    After,
    Below,
    Between,
    Contains,
    Database,
    Drop,
    HasPrefixes,
    Increment,
    OneOf,
    Put,
)
from tests.contracts.recordkinds import IN_ONE_PROCESS, Backend, task


class TestChange:
    def test_it_changes_what_it_was_told_counts_it_and_answers_the_record(self, database: Database) -> None:
        kept = task(name="n")
        database.tasks.insert(kept)
        changed = database.tasks.change(kept.id, {"state": "pending"}, {"state": "running", "worker": "w1"})
        assert changed is not None
        assert (changed.state, changed.worker, changed.rev, changed.name) == ("running", "w1", 2, "n")
        assert database.tasks.get(kept.id) == changed

    def test_it_never_creates(self, database: Database) -> None:
        unknown = new_id()
        assert database.tasks.change(unknown, {}, {"state": "running"}) is None
        assert database.tasks.get(unknown) is None

    def test_without_changes_only_rev_grows(self, database: Database) -> None:
        kept = task()
        database.tasks.insert(kept)
        changed = database.tasks.change(kept.id, {}, {})
        assert changed is not None
        assert changed.rev == 2

    def test_increments_add_beside_what_is_set(self, database: Database) -> None:
        kept = task(attempt=3, progress=0.5)
        database.tasks.insert(kept)
        added = {"attempt": Increment(), "failures": Increment(5), "progress": Increment(2), "worker": "w"}
        changed = database.tasks.change(kept.id, {"attempt": 3}, added)
        assert changed is not None
        assert (changed.attempt, changed.failures, changed.progress, changed.worker) == (4, 5, 2.5, "w")

    def test_members_of_an_object_are_set_and_taken_out_alone(self, database: Database) -> None:
        kept = task(params={"a": 1, "b": [1.5, None]}, attempt=1)
        database.tasks.insert(kept)
        changes: list[dict[str, Any]] = [
            {"params": Put({"c": {"x.y": ["Zoë \U0001f600", "a'b\"c", None, 1732162402.366]}, "a": 2}), "worker": "w"},
            {"params": Put({"0123456789abcdef0123456789abcdef": {}}), "attempt": Increment()},
            {"params": Drop(("a", "unknown")), "progress": 0.5},
            {"params": Put({})},
            {"params": Drop(())},
        ]
        for change in changes:
            changed = database.tasks.change(kept.id, {}, change)
            assert changed == database.tasks.get(kept.id)
        assert changed is not None
        assert changed.params == {
            "b": [1.5, None],
            "c": {"x.y": ["Zoë \U0001f600", "a'b\"c", None, 1732162402.366]},
            "0123456789abcdef0123456789abcdef": {},
        }
        assert list(changed.params)[-1] == "0123456789abcdef0123456789abcdef"
        assert (changed.worker, changed.attempt, changed.progress, changed.rev) == ("w", 2, 0.5, 6)

    def test_members_that_are_set_at_once_from_all_sides_are_all_there(
        self, backend: Backend, database: Database
    ) -> None:
        if backend.name in IN_ONE_PROCESS:
            pytest.skip(IN_ONE_PROCESS[backend.name])
        database.tasks.insert(kept := task())
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: database.tasks.change(kept.id, {}, {"params": Put({f"k{n}": n})}), range(40)))
        found = database.tasks.get(kept.id)
        assert found is not None
        assert found.params == {f"k{n}": n for n in range(40)}

    @pytest.mark.parametrize(
        ("expect", "holds"),
        [
            ({}, True),
            ({"state": "pending"}, True),
            ({"state": "running"}, False),
            ({"state": OneOf(("running", "pending"))}, True),
            ({"state": OneOf(("running", "done"))}, False),
            ({"state": OneOf(())}, False),
            ({"worker": None}, True),
            ({"worker": "w"}, False),
            ({"worker": OneOf((None, "w"))}, True),
            ({"step": None}, False),
            ({"step": OneOf((None, "video"))}, True),
            ({"error": None}, True),
            ({"params": None}, False),
            ({"lease_until": Below(100.5)}, True),
            ({"lease_until": Below(100)}, False),
            ({"lease_until": 100}, True),
            ({"started_at": Below(1e12)}, False),
            ({"attempt": Below(3)}, True),
            ({"ready": True}, True),
            ({"ready": False}, False),
            ({"needs": Contains("plan")}, True),
            ({"needs": Contains("pla")}, False),
            ({"lease_until": Between(100, 100.5)}, True),
            ({"lease_until": Between(50, 100)}, False),
            ({"attempt": Between(least=2)}, True),
            ({"attempt": Between(below=2)}, False),
            ({"attempt": Between(2, 2)}, False),
            ({"started_at": Between()}, False),
            ({"lease_until": Between()}, True),
            ({"worker": After("")}, False),
            ({"name": After("x")}, False),
            ({"name": After("")}, True),
            ({"needs": HasPrefixes(("pl", "Zo"))}, True),
            ({"needs": HasPrefixes(("plan", "planx"))}, False),
            ({"needs": HasPrefixes(())}, True),
            ({"rev": 1, "attempt": 2, "state": "pending", "needs": Contains("Zoë")}, True),
            ({"rev": 2, "attempt": 2, "state": "pending"}, False),
        ],
    )
    def test_it_changes_only_what_meets_every_condition(
        self, database: Database, expect: Mapping[str, Any], holds: bool
    ) -> None:
        # given
        kept = task(step="video", ready=True, needs=["plan", "Zoë"], lease_until=100.0, attempt=2)
        database.tasks.insert(kept)
        # when
        changed = database.tasks.change(kept.id, expect, {"progress": 0.25})
        # then
        assert (changed is not None) is holds
        found = database.tasks.get(kept.id)
        assert found is not None
        assert (found.progress, found.rev) == ((0.25, 2) if holds else (0.0, 1))
        unchanged = {name: wanted for name, wanted in expect.items() if name != "rev"}
        assert database.tasks.count(unchanged) == (holds or unchanged != expect)

    @pytest.mark.parametrize(
        ("expect", "changes", "error"),
        [
            ({"sate": "pending"}, {}, ValueError),
            ({"state; DROP TABLE tasks": "pending"}, {}, ValueError),
            ({"state": "pendign"}, {}, ValueError),
            ({}, {"sate": "pending"}, ValueError),
            ({}, {"state": "pendign"}, ValueError),
            ({}, {"id": "x"}, ValueError),
            ({}, {"rev": 7}, ValueError),
            ({}, {"attempt": "1"}, TypeError),
            ({}, {"attempt": None}, TypeError),
            ({}, {"name": Increment()}, TypeError),
            ({}, {"started_at": Increment()}, TypeError),
            ({}, {"name": Put({"a": 1})}, TypeError),
            ({}, {"result": Put({"a": 1})}, TypeError),  # it may be None, which has no members
            ({}, {"params": Put({"a.b": 1})}, ValueError),
            ({}, {"params": Drop(("$a",))}, ValueError),
            ({}, {"params": Drop(('a"',))}, ValueError),
            ({"name": Below(3)}, {}, TypeError),
            ({"name": Contains("x")}, {}, TypeError),
            ({"name": Between(1, 2)}, {}, TypeError),
            ({"attempt": After("1")}, {}, TypeError),
            ({"name": After(cast(str, 1))}, {}, TypeError),
            ({"attempt": Between(least=float("nan"))}, {}, ValueError),
            ({"name": HasPrefixes(("x",))}, {}, TypeError),
            ({"needs": HasPrefixes((cast(str, 1),))}, {}, TypeError),
            ({"params": {}}, {}, TypeError),
        ],
    )
    def test_a_mistake_of_ours_is_an_error_and_changes_nothing(
        self, database: Database, expect: Mapping[str, Any], changes: Mapping[str, Any], error: type[Exception]
    ) -> None:
        kept = task()
        database.tasks.insert(kept)
        with pytest.raises(error):
            database.tasks.change(kept.id, expect, changes)
        assert database.tasks.get(kept.id) == kept


def claim_all(database: Database, worker: str) -> int:
    """What a worker does: look for the best pending tasks, claim them one by one. How many were claimed."""
    claimed = 0
    while found := database.tasks.find({"state": "pending", "ready": True}, sort=("-priority", "created_at"), limit=8):
        for each in found:
            changes = {"state": "running", "worker": worker, "attempt": Increment()}
            claimed += (
                database.tasks.change(each.id, {"state": "pending", "attempt": each.attempt}, changes) is not None
            )
    return claimed


def add_all(database: Database, record_id: str, times: int) -> None:
    for _ in range(times):
        assert database.tasks.change(record_id, {}, {"failures": Increment()}) is not None


def in_threads(number: int, work: Callable[[int], Any]) -> list[Any]:
    """Run `work` in that many threads, which all begin at once."""
    barrier = threading.Barrier(number)

    def run(index: int) -> Any:
        barrier.wait()
        return work(index)

    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(run, range(number)))


def in_processes(number: int, work: Callable[[int], Any]) -> list[Any]:
    """Run `work` in that many forked processes, which inherit whatever this process has open."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    processes = [context.Process(target=lambda index=index: results.put(work(index))) for index in range(number)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        process.kill()  # only one that hangs is still there
    assert [process.exitcode for process in processes] == [0] * number
    return [results.get() for _ in processes]


@pytest.mark.parametrize("run", [pytest.param(in_threads, id="threads"), pytest.param(in_processes, id="processes")])
class TestConcurrency:
    """Eight threads, or four processes that were forked while the database was open."""

    @pytest.fixture
    def number(self, backend: Backend, run: Any) -> int:
        if backend.name in IN_ONE_PROCESS:
            pytest.skip(IN_ONE_PROCESS[backend.name])
        return 8 if run is in_threads else 4

    def test_every_task_is_claimed_exactly_once(self, database: Database, run: Any, number: int) -> None:
        # given
        for index in range(200):
            database.tasks.insert(task(ready=True, priority=index % 3, created_at=float(index)))
        # when
        claimed = run(number, lambda index: claim_all(database, f"worker-{index}"))
        # then
        assert sum(claimed) == 200
        found = database.tasks.find({})
        assert {(each.state, each.attempt, each.rev) for each in found} == {("running", 1, 2)}
        assert sorted(Counter(each.worker for each in found).values()) == sorted(n for n in claimed if n)

    def test_no_increment_is_lost(self, database: Database, run: Any, number: int) -> None:
        counted = task()
        database.tasks.insert(counted)
        run(number, lambda _: add_all(database, counted.id, 25))
        found = database.tasks.get(counted.id)
        assert found is not None
        assert (found.failures, found.rev) == (25 * number, 25 * number + 1)

    def test_one_of_many_inserts_of_an_id_wins(self, database: Database, run: Any, number: int) -> None:
        ids = [new_id() for _ in range(10)]
        won = run(number, lambda index: [database.tasks.insert(task(id=each, worker=f"{index}")) for each in ids])
        assert [sum(column) for column in zip(*won, strict=True)] == [1] * len(ids)
