"""A simulation that finds nothing proves something only if it finds what is there: faults planted one by one."""

from __future__ import annotations

import os
from typing import Final

import pytest

from tests.simulation.histories import run
from tests.simulation.mutations import MUTATIONS, Mutation, planted

MOST_SEEDS: Final = int(os.environ.get("SIM_MUTATION_SEEDS", "3000"))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name.replace(" ", "-"))
def test_a_planted_fault_is_found(mutation: Mutation, capsys: pytest.CaptureFixture[str]) -> None:
    with planted(mutation):
        for seed in range(MOST_SEEDS):
            if (broken := run(str(seed)).broken) is not None:
                break
        else:
            broken = None
    with capsys.disabled():
        print(f"\n{seed + 1:6} {mutation.name}: {broken}")
    assert broken is not None, f"{MOST_SEEDS} seeds did not notice that {mutation.name}"


def test_every_planted_fault_is_in_the_code_as_it_is_now() -> None:
    for mutation in MUTATIONS:
        with planted(mutation):
            pass
