"""A thousand workers over the real claims: what a task costs grows neither with what waits nor with who else claims.

SIM_TASKS says how many tasks the largest case has; a million take a core about five minutes a case.
"""

from __future__ import annotations

import os
from typing import Final

import pytest

from tests.simulation.scaling import measure

TASKS: Final = int(os.environ.get("SIM_TASKS", "100000"))
CASES: Final = (
    *((workers, 10_000, 10) for workers in (10, 100, 1000)),
    *((1000, tasks, 10) for tasks in (1_000, 100_000)),
    *((1000, TASKS, owners) for owners in (1, 10, 1000)),
)
"""Workers, tasks, owners."""


def test_a_claim_costs_the_same_however_much_waits() -> None:
    few, many = measure(5, 300, owners=5), measure(5, 1200, owners=5)
    assert many.calls_a_task < 1.1 * few.calls_a_task
    assert (few.tasks, many.tasks) == (300, 1200), "each task is done once"


@pytest.mark.parametrize("owners", [1, 20])
def test_who_loses_a_race_does_not_lose_the_next_ones_too(owners: int) -> None:
    """300 workers of tasks of a second, over a slow network (10 ms a call): many look at the same moment."""
    found = measure(300, 1500, owners, latency=0.01)
    assert found.tasks == 1500
    assert found.lost < 3 * found.tasks
    assert found.calls_a_task < 15
    assert found.idle < 0.1 * found.tasks, "nobody finds nothing while tasks wait"


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_a_thousand_workers(capsys: pytest.CaptureFixture[str]) -> None:
    for case in CASES:
        found = measure(*case, longest_seconds=1000.0)
        with capsys.disabled():
            print(f"\n{found}", end="")
        assert found.lost < 3 * found.tasks
        assert found.calls_a_task < 15
        assert found.rows < 10_000 * found.tasks
