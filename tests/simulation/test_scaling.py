"""A thousand workers over the real claims: what a task costs must not grow with what waits."""

from __future__ import annotations

import os
from typing import Final

import pytest

from tests.simulation.scaling import measure

TASKS: Final = int(os.environ.get("SIM_TASKS", "100000"))


def test_a_claim_costs_the_same_however_much_waits() -> None:
    few, many = measure(5, 300, owners=5), measure(5, 1200, owners=5)
    assert many.calls / many.tasks < 1.3 * few.calls / few.tasks
    assert (few.tasks, many.tasks) == (300, 1200), "each task is done once"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_thousand_workers(capsys: pytest.CaptureFixture[str]) -> None:
    found = [measure(workers, tasks) for workers, tasks in ((10, 2_000), (100, 10_000), (1000, TASKS))]
    with capsys.disabled():
        print("\n" + "\n".join(map(str, found)))
    assert found[-1].lost < 5 * found[-1].tasks
