"""Periodic work: one worker at a time, whoever dies, hangs or raises."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from mediaflow.domain.errors import MediaflowError, PluginFailed, Unavailable
from mediaflow.plugin import MediaContext, Periodic
from mediaflow.sandbox.identity import Identity
from mediaflow.services.ports import Database
from mediaflow.services.upkeep.rota import HOLD_SECONDS, RUNS, SPARE_SECONDS, Rota


@dataclass
class Offered:
    """What plugins offer; of it, only the periodic work."""

    periodics: dict[str, Periodic]

    def plugin_of_periodic(self, name: str) -> str:
        return name.partition(".")[0]

    def run_periodic(self, name: str) -> None:
        self.periodics[name].run(MediaContext({}))


@dataclass
class Counts:
    found: Counter[str] = field(default_factory=Counter)

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        assert (name, labels["plugin"]) == (RUNS, "mine")
        self.found[labels["outcome"]] += int(amount)

    def observe(self, name: str, value: float, **labels: str) -> None:
        raise AssertionError("nothing is observed")


@dataclass
class House:
    """Workers over the same documents."""

    database: Database
    counts: Counts = field(default_factory=Counts)

    def worker(self, name: str, *work: Periodic) -> Rota:
        offered: Any = Offered({periodic.name: periodic for periodic in work})
        return Rota(self.database, offered, self.counts, name, Identity.of(os.getpid()))

    def turn(self) -> tuple[float, str | None]:
        """When the only work is due, from when it was begun, and who took it last."""
        (turn,) = self.database.turns.find({})
        return round(turn.due_at - (turn.began_at or 0.0), 3), turn.worker

    def due(self) -> None:
        for turn in self.database.turns.find({}):
            self.database.turns.change(turn.id, {}, {"due_at": self.database.now() - 0.1})


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


def work(run: Callable[[MediaContext], None], every: float = 3600.0, limit: float = 60.0) -> Periodic:
    return Periodic("mine.work", every, run, limit)


def test_of_many_workers_one_does_it_once_a_turn(house: House) -> None:
    ran: list[str] = []
    rotas = [house.worker(name, work(lambda _, name=name: ran.append(name))) for name in "abcd"]  # type: ignore[misc]
    for turn in range(1, 4):
        threads = [threading.Thread(target=rota.look) for rota in rotas * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for rota in rotas:
            rota.wait(5)
        assert len(ran) == turn
        assert house.turn() == (3600.0, ran[-1])
        house.due()
    assert house.counts.found == {"done": 3}


def test_the_next_turn_comes_from_the_begin_and_after_the_end(house: House) -> None:
    go = threading.Event()
    first, second = house.worker("a", work(lambda _: hang(go), every=1.0)), house.worker("b", work(hang, every=1.0))
    first.look()
    # while it runs, nobody else takes it: it has its limit
    assert house.turn() == (60.0 + SPARE_SECONDS + HOLD_SECONDS, "a")
    second.look()
    first.look()
    go.set()
    first.close(5)
    assert house.turn() == (1.0, "a")
    assert house.counts.found == {"done": 1}


def test_what_comes_often_keeps_its_turn_and_writes_nothing_meanwhile(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    ran: list[str] = []
    ours = house.worker("a", work(lambda _: ran.append("a"), every=1.0, limit=1.0))
    other = house.worker("b", work(lambda _: ran.append("b"), every=1.0, limit=1.0))
    began = house.database.now()
    ours.look()
    ours.wait(5)
    written = [turn.rev for turn in house.database.turns.find({})]
    # when: a second later and another
    for seconds in (0.5, 1.5, 3.0):
        monkeypatch.setattr(house.database, "now", lambda seconds=seconds: began + seconds)
        for rota in (other, ours):
            rota.look()
            rota.wait(5)
    # then
    assert ran == ["a", "a", "a"]
    assert [turn.rev for turn in house.database.turns.find({})] == written
    # when: what it is kept for is nearly over, it is kept on; others have it when its worker leaves
    monkeypatch.setattr(house.database, "now", lambda: began + 1 + SPARE_SECONDS + HOLD_SECONDS - 3)
    ours.look()
    assert [turn.rev for turn in house.database.turns.find({})] == [rev + 1 for rev in written]
    ours.close(5)
    monkeypatch.setattr(house.database, "now", lambda: began + 30)
    other.look()
    other.wait(5)
    assert ran == ["a", "a", "a", "a", "b"]


def test_the_turn_of_a_worker_that_is_seen_dead_is_taken_at_once(house: House) -> None:
    # given
    program = subprocess.Popen(["sleep", "600"])
    dies, ran, go = Identity.of(program.pid), list[str](), threading.Event()
    house.worker(str(dies), work(lambda _: hang(go))).look()
    other = house.worker("b", work(lambda _: ran.append("b")))
    other.look()
    assert ran == []
    # when
    program.kill()
    program.wait()
    other.look()
    other.wait(5)
    go.set()
    # then
    assert ran == ["b"]


def hang(go: threading.Event | MediaContext) -> None:
    assert isinstance(go, threading.Event), "somebody else runs it"
    assert go.wait(10)


def test_what_does_not_end_is_said_and_another_worker_begins_it(house: House) -> None:
    go, ran = threading.Event(), list[str]()
    stuck = house.worker("a", work(lambda _: hang(go), every=1.0, limit=0.05))
    stuck.look()
    time.sleep(0.1)
    stuck.look()
    stuck.look()
    assert house.counts.found == {"overdue": 1}
    house.due()
    other = house.worker("b", work(lambda _: ran.append("b"), every=7.0, limit=1.0))
    other.look()
    other.wait(5)
    house.due()
    # here it still runs, so that it does not begin again; its late end changes no other's turn
    stuck.look()
    go.set()
    stuck.wait(5)
    assert ran == ["b"]
    assert house.turn()[1] == "b"
    assert house.counts.found == {"overdue": 1, "done": 2}


@pytest.mark.parametrize("error", [PluginFailed("It broke."), Unavailable("Gone.")])
def test_what_fails_is_counted_and_comes_again(house: House, error: MediaflowError) -> None:
    def fail(_: MediaContext) -> None:
        raise error

    rota = house.worker("a", work(fail))
    for _ in range(2):
        rota.look()
        rota.wait(5)
        house.due()
    assert house.counts.found == {"failed": 2}


def test_a_worker_that_dies_leaves_the_turn_to_others_when_its_time_is_over(house: House) -> None:
    go, ran = threading.Event(), list[str]()
    house.worker("dies", work(lambda _: hang(go))).look()
    other = house.worker("b", work(lambda _: ran.append("b")))
    other.look()
    other.wait(5)
    assert ran == []
    house.due()
    other.look()
    other.wait(5)
    assert ran == ["b"]
    go.set()
