"""Deliveries: one event on its way to one endpoint, and what becomes of it after each attempt. All of it is pure.

A record of kind `delivery` has its endpoint as `subject`. `due_at` is its place in the endpoint's line: the event's
number, so that what was not tried yet goes out in the order of the log, whatever the clocks of hosts say; for one that
somebody refused the time of its next attempt, which is after all of them.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mediaflow.plugin import Event, Record
from mediaflow_webhook.endpoints import derived_id
from mediaflow_webhook.messages import TEST, event_body, test_body

KIND: Final = "delivery"
WAITING: Final = "waiting"
DELIVERED: Final = "delivered"
FAILED: Final = "failed"

DELAYS: Final = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 3 * 3600.0, 6 * 3600.0, 12 * 3600.0)
"""Seconds to the next attempt after the first, second, ...; together most of a day."""
LONGEST_HOLD: Final = 600.0
"""So long at most an endpoint is left alone that does not answer: then it is asked whether it is there again."""
JITTER: Final = 0.2
GIVE_UP_SECONDS: Final = 24 * 3600.0
DISABLE_SECONDS: Final = 5 * 24 * 3600.0
GONE: Final = 410
AWAY: Final = (408, 425, 429, 502, 503, 504)
"""Answers of somebody who takes nothing now, whatever is sent."""
LONGEST_RETRY_AFTER: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt. `status` is None when nobody answered; `error` says what is wrong, None: nothing is.

    `text` is how the answer began; `retry_after` are the seconds that it asks for.
    """

    status: int | None
    error: str | None = None
    text: str = ""
    retry_after: float | None = None

    @property
    def away(self) -> bool:
        """True when others would not get through either."""
        return self.status is None or self.status in AWAY


def of_event(endpoint: Record, event: Event) -> Record:
    """The one delivery of an event to an endpoint, however often it is made."""
    told = {"event": event.name, "event_id": event.id, "number": event.number, "at": event.at, **_untried()}
    return Record(
        id=derived_id(endpoint.id, event.id),
        kind=KIND,
        owner=endpoint.owner,
        subject=endpoint.id,
        state=WAITING,
        due_at=float(event.number or 0),
        data={**told, "body": event_body(event)},
    )


def of_test(endpoint: Record, delivery_id: str, now: float) -> Record:
    """The delivery of a test, which is the first of its line."""
    told = {"event": TEST, "event_id": delivery_id, "number": 0, "at": now, **_untried()}
    return Record(
        id=delivery_id,
        kind=KIND,
        owner=endpoint.owner,
        subject=endpoint.id,
        state=WAITING,
        due_at=0.0,
        data={**told, "body": test_body(endpoint.id, now)},
    )


def replayed(delivery: Record) -> dict[str, Any]:
    """The changes that send a delivery again, with all its attempts before it."""
    data = {**delivery.data, "tries": 0, "first_at": None, "next_at": None, "delivered_at": None}
    return {"state": WAITING, "due_at": 0.0, "data": data}


def after(delivery: Record, answer: Answer, now: float, hold_seconds: float) -> dict[str, Any]:
    """The changes of a delivery after an attempt; `hold_seconds`: so long its endpoint is left alone if it is away."""
    data = dict(delivery.data)
    tries, first_at = data["tries"] + 1, data["first_at"] or now
    data |= {"tries": tries, "attempts": data["attempts"] + 1, "first_at": first_at, "last_at": now}
    data |= {"status_code": answer.status, "answer": answer.text, "error": answer.error, "next_at": None}
    if answer.error is None:
        return {"state": DELIVERED, "due_at": None, "data": {**data, "delivered_at": now}}
    over = now - first_at >= GIVE_UP_SECONDS or answer.status == GONE
    if over or (not answer.away and tries > len(DELAYS)):
        return {"state": FAILED, "due_at": None, "data": data}
    if answer.away:  # it keeps its place
        return {"due_at": delivery.due_at, "data": {**data, "next_at": now + hold_seconds}}
    next_at = now + jittered(DELAYS[min(tries, len(DELAYS)) - 1])
    return {"due_at": next_at, "data": {**data, "next_at": next_at}}


def given_up(delivery: Record) -> dict[str, Any]:
    """The changes of a delivery that waited behind others, in vain, for as long as anything is tried."""
    data = {**delivery.data, "error": "not tried: for a day the receiver did not answer", "next_at": None}
    return {"state": FAILED, "due_at": None, "data": data}


def endpoint_after(known: Mapping[str, Any], answer: Answer, now: float) -> dict[str, Any]:
    """What an endpoint knows after an attempt; with a `disabled_reason`, nothing more is sent to it."""
    if answer.error is None:
        return {**known, "failing_since": None, "misses": 0, "held_until": None}
    since = known["failing_since"] or now
    changed = {**known, "failing_since": since, "held_until": None}
    if answer.status == GONE:
        return {**changed, "disabled_reason": "the receiver answered 410 Gone"}
    if now - since >= DISABLE_SECONDS:
        days = DISABLE_SECONDS / 86400
        return {**changed, "disabled_reason": f"for {days:.0f} days nothing arrived; the last time: {answer.error}"}
    if not answer.away:
        return {**changed, "misses": 0}
    misses = known["misses"] + 1
    wait = min(jittered(DELAYS[min(misses, len(DELAYS)) - 1]), LONGEST_HOLD)
    if answer.retry_after is not None:
        wait = max(wait, min(answer.retry_after, LONGEST_RETRY_AFTER))
    return {**changed, "misses": misses, "held_until": now + wait}


def jittered(seconds: float) -> float:
    """About so many: those that failed together do not come back together."""
    return seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret


def _untried() -> dict[str, Any]:
    times = dict.fromkeys(("first_at", "last_at", "next_at", "delivered_at"))
    return {"tries": 0, "attempts": 0, **times, "status_code": None, "answer": "", "error": None}
