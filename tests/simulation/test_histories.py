"""Thousands of histories of the service, with whatever can go wrong in it; each seed lives the same one every time.

SIM_SEEDS and SIM_FIRST_SEED say how many, and from which on; the long run uses all cores (`SIM_PROCESSES`).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Final

import pytest
from _pytest.mark import ParameterSet

from tests.simulation.histories import STORIES, Outcome, line, report, run

FEW: Final = int(os.environ.get("SIM_SEEDS", "1000"))
MANY: Final = int(os.environ.get("SIM_SEEDS", "100000"))
FIRST: Final = int(os.environ.get("SIM_FIRST_SEED", "0"))
PROCESSES: Final = int(os.environ.get("SIM_PROCESSES", str(os.cpu_count() or 1)))
LONGEST_SECONDS: Final = float(os.environ.get("SIM_SECONDS", "3600"))
SHARE: Final = 100
SOON: Final = 2
ENOUGH: Final = 10
"""When more histories broke than that, no more are lived."""


def lived(first: int, count: int) -> tuple[int, list[Outcome]]:
    """Live so many histories: their steps, and those that broke."""
    outcomes = [run(str(seed)) for seed in range(first, first + count)]
    return sum(outcome.turns for outcome in outcomes), [outcome for outcome in outcomes if outcome.broken]


def shares() -> Iterator[ParameterSet]:
    """The beginnings of the hundreds; those after the first few are lived in the long run."""
    for place, first in enumerate(range(FIRST, FIRST + FEW, SHARE)):
        yield pytest.param(first, marks=pytest.mark.slow if place >= SOON and "SIM_SEEDS" not in os.environ else ())


@pytest.mark.parametrize("first", list(shares()))
def test_every_invariant_holds_in_every_history(first: int) -> None:
    _, broken = lived(first, min(SHARE, FIRST + FEW - first))
    assert not broken, report(broken)


def test_a_seed_lives_the_same_history_again() -> None:
    first, again = ([run(seed, steps=1).digest for seed in ("3", "4", "5")] for _ in range(2))
    assert first == again
    assert len(set(first)) == 3


def test_a_report_names_every_history_that_broke() -> None:
    broken = [Outcome(str(seed), "what: is wrong", 1, 1.0, "", f"story of {seed}") for seed in range(STORIES + 2)]
    said = report(broken).splitlines()
    assert [each for each in said if each.endswith(": what: is wrong") and not each.startswith("seed")] == [
        f"{seed}: what: is wrong" for seed in range(STORIES + 2)
    ]
    assert [each for each in said if each.startswith("story")] == [f"story of {seed}" for seed in range(STORIES)]


@pytest.mark.slow
@pytest.mark.timeout(LONGEST_SECONDS + 300)
def test_every_invariant_holds_in_very_many_histories(capsys: pytest.CaptureFixture[str]) -> None:
    began, steps, count, broken = time.monotonic(), 0, 0, list[Outcome]()
    with ProcessPoolExecutor(PROCESSES) as pool:
        for shares in _batches(list(range(FIRST, FIRST + MANY, SHARE)), 4 * PROCESSES):
            for turns, found in pool.map(lived, shares, [SHARE] * len(shares)):
                steps, count, broken = steps + turns, count + SHARE, broken + found
                with capsys.disabled():  # at once: who ends the run has them
                    sys.stdout.writelines(map(line, found))
                    sys.stdout.flush()
            if len(broken) > ENOUGH or time.monotonic() - began > LONGEST_SECONDS:
                break
    seconds = time.monotonic() - began
    with capsys.disabled():
        pace = f"{60 * count / seconds:.0f} a minute in {PROCESSES} processes"
        print(f"\n{count} histories from seed {FIRST}, {steps} steps, {seconds:.0f} s, {pace}")
    assert not broken, report(broken)
    assert count >= MANY, f"only {count} of {MANY} were lived in {LONGEST_SECONDS:.0f} s"


def _batches(items: list[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
