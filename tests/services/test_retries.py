"""Which failures are tried again, and after how long."""

from __future__ import annotations

import pytest

from mediaflow.domain.errors import REPEATING_CODES
from mediaflow.domain.states import MAX_ATTEMPTS
from mediaflow.services.pipeline.retries import seconds_to_next

BAD = {"code": "job.bad_output", "detail": "1080p has no segments"}
AWAY = {"code": "storage.unavailable", "detail": "The storage does not answer."}


@pytest.mark.parametrize(
    ("failures", "before", "error", "seconds"),
    [
        (1, None, BAD, 1.0),
        (2, BAD, BAD, None),  # said twice, word for word
        (2, BAD, {**BAD, "detail": "1080p lacks segment 3"}, 5.0),
        (2, BAD, {**BAD, "code": "job.incomplete"}, 5.0),
        (2, AWAY, BAD, 5.0),
        (3, BAD, BAD, None),
        (1, None, AWAY, 1.0),
        (2, AWAY, AWAY, 5.0),
        (3, AWAY, AWAY, 15.0),
        (4, AWAY, AWAY, 60.0),
        (MAX_ATTEMPTS, AWAY, AWAY, None),
        (MAX_ATTEMPTS, AWAY, BAD, None),
        # a worker that died between two failures left the older error in place
        (3, {**BAD, "at": 7}, BAD, None),
    ],
)
def test_an_error_of_the_input_is_repeated_once_and_one_of_the_surroundings_four_times(
    failures: int, before: dict[str, object] | None, error: dict[str, object], seconds: float | None
) -> None:
    assert seconds_to_next(failures, before, error) == seconds


@pytest.mark.parametrize(
    "code",
    ["job.internal", "job.stalled", "job.step_broken", "job.program_missing", "plugin.failed"],
)
def test_what_the_surroundings_or_a_plugin_did_may_go_well_next_time(code: str) -> None:
    error = {"code": code, "detail": "It went wrong."}
    assert seconds_to_next(2, error, error) == 5.0


def test_what_is_only_said_of_an_input_is_final_the_second_time() -> None:
    waits = {
        code: seconds_to_next(2, {"code": code, "detail": ""}, {"code": code, "detail": ""})
        for code in (
            *("job.bad_output", "job.bad_plan", "job.bad_task", "job.incomplete", "job.unknown_profile"),
            *("job.timeout", "job.bad_manifest", "plugin.broken"),
        )
    }
    assert set(waits.values()) == {None}
    assert waits.keys() <= REPEATING_CODES


def test_an_optional_task_does_not_keep_the_others_waiting() -> None:
    assert seconds_to_next(1, None, AWAY, optional=True) == 1.0
    assert seconds_to_next(2, AWAY, AWAY, optional=True) is None
    assert seconds_to_next(2, BAD, AWAY, optional=True) == 5.0
