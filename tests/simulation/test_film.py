"""Workers share a film: simulated with the times that its tasks were measured to take."""

from __future__ import annotations

import pytest

from tests.simulation.film import MEASURED, simulated


@pytest.mark.parametrize(("seconds", "workers", "gain"), [(60, 2, 1.8), (90, 4, 3.4), (600, 16, 12.0)])
def test_workers_share_a_film(seconds: float, workers: int, gain: float) -> None:
    one, more = simulated(seconds, 1, MEASURED), simulated(seconds, workers, MEASURED)
    assert one.parts == more.parts
    assert one.wall_seconds >= gain * more.wall_seconds
