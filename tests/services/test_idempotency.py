"""One key, one request: claims, leases, and what happens when nobody finishes."""

from __future__ import annotations

import pytest

from mediaflow.domain.errors import Busy, InvalidInput
from mediaflow.domain.ids import derived_id
from mediaflow.domain.requestrecords import Answer
from mediaflow.services.requests.idempotency import Claim, Idempotency
from tests.services.world import World


@pytest.fixture
def keys(world: World) -> Idempotency:
    return Idempotency(world.runtime.database, 3600)


def claimed(keys: Idempotency, fingerprint: str = "request") -> Claim:
    claim = keys.begin("ann", "key", fingerprint)
    assert isinstance(claim, Claim)
    return claim


def finished(keys: Idempotency, claim: Claim, body: str = "done") -> None:
    keys.finish(claim, status=201, headers={"ETag": '"1"'}, body=body)


def expire(keys: Idempotency) -> None:
    """As if its time had passed."""
    assert keys.database.answers.change(derived_id("answer", "ann", "key"), {}, {"expires_at": 1.0})


def test_the_first_answer_is_everybodys(keys: Idempotency) -> None:
    finished(keys, claimed(keys))
    for _ in range(2):
        answer = keys.begin("ann", "key", "request")
        assert isinstance(answer, Answer)
        assert (answer.status, answer.headers, answer.body) == (201, {"ETag": '"1"'}, "done")
        assert answer.expires_at > keys.database.now() + 3000


def test_another_request_may_not_use_the_key_whether_the_first_is_done_or_not(keys: Idempotency) -> None:
    claim = claimed(keys)
    for _ in range(2):
        with pytest.raises(InvalidInput) as caught:
            keys.begin("ann", "key", "another request")
        assert caught.value.code == "request.idempotency_mismatch"
        finished(keys, claim)


def test_while_the_first_is_worked_on_the_second_waits(keys: Idempotency) -> None:
    claimed(keys)
    with pytest.raises(Busy) as caught:
        keys.begin("ann", "key", "request")
    assert caught.value.code == "request.idempotency_running"
    assert caught.value.retry_after_seconds >= 1


def test_keys_belong_to_users(keys: Idempotency) -> None:
    claimed(keys)
    assert isinstance(keys.begin("bob", "key", "another request"), Claim)


def test_a_released_key_is_free_for_anything(keys: Idempotency) -> None:
    keys.release(claimed(keys))
    claimed(keys, "another request")


def test_a_crash_blocks_the_key_for_a_lease_only_and_the_dead_write_nothing(keys: Idempotency) -> None:
    dead = claimed(keys)
    expire(keys)
    alive = claimed(keys, "another request")
    finished(keys, dead, "late")
    keys.release(dead)
    with pytest.raises(Busy):
        keys.begin("ann", "key", "another request")
    finished(keys, alive)
    answer = keys.begin("ann", "key", "another request")
    assert isinstance(answer, Answer)
    assert answer.body == "done"


def test_a_late_one_does_not_write_into_a_record_that_was_made_anew(keys: Idempotency) -> None:
    late = claimed(keys)
    expire(keys)
    keys.release(claimed(keys))
    claimed(keys)
    finished(keys, late, "late")
    with pytest.raises(Busy):
        keys.begin("ann", "key", "request")


def test_an_old_answer_is_forgotten(keys: Idempotency) -> None:
    finished(keys, claimed(keys))
    expire(keys)
    claimed(keys, "another request")
