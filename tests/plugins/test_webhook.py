"""Webhooks without a receiver: signatures, bodies, filters, and what becomes of a delivery after each attempt."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from mediaflow.plugin import Event, Record
from mediaflow_webhook import deliveries, endpoints, signing
from mediaflow_webhook.deliveries import Answer
from mediaflow_webhook.messages import LARGEST_BODY_BYTES, event_body

DAY = 86400.0
NOBODY = Answer(None, "no answer")
REFUSED = Answer(500, "it answered 500")
THANKS = Answer(200)


def an_endpoint(**data: Any) -> Record:
    made = endpoints.new_endpoint("e" * 32, "ann", {"url": "https://example.org/"}, 0)
    return replace(made, data={**made.data, **data})


def an_event(name: str = "asset.ready", owner: str = "ann", number: int = 7, **data: Any) -> Event:
    return Event(name, 1.8e9 + 0.25, owner, "a" * 32, None, data, "b" * 32, number)


def test_receivers_verify_with_any_secret_that_still_signs() -> None:
    now = time.time()
    endpoint = an_endpoint()
    first = endpoint.data["secret"]
    for _ in range(6):
        endpoint = endpoints.rotated(endpoint, now)
    second = endpoint.data["old_secrets"][0][0]
    body = event_body(an_event()).encode()
    headers = signing.headers("msg", int(now), body, endpoints.secrets_at(endpoint, now + 1))
    assert len(headers["webhook-signature"].split(" ")) == 1 + endpoints.MOST_OLD_SECRETS
    for secret in (endpoint.data["secret"], second):
        assert Webhook(secret).verify(body, headers)["type"] == "asset.ready"
    for secret, sent in ((first, body), (second, body + b" ")):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(sent, headers)
    assert endpoints.secrets_at(endpoint, now + DAY) == [endpoint.data["secret"]]


def test_a_body_has_type_timestamp_and_data_and_a_bound() -> None:
    assert json.loads(event_body(an_event(generation=2))) == {
        "type": "asset.ready",
        "timestamp": "2027-01-15T08:00:00.250Z",
        "data": {
            "generation": 2,
            "event_id": "b" * 32,
            "number": 7,
            "owner": "ann",
            "asset_id": "a" * 32,
            "job_id": None,
        },
    }
    large = event_body(an_event("asset.updated", changes={"description": "ä" * LARGEST_BODY_BYTES}))
    assert len(large) < 1000
    assert json.loads(large)["data"]["data_omitted"] is True


@pytest.mark.parametrize(
    ("data", "event", "wanted"),
    [
        ({}, an_event(), True),
        ({}, an_event(owner="bob"), False),
        ({"all_owners": True}, an_event(owner="bob"), True),
        ({"since": 6}, an_event(), True),
        ({"since": 7}, an_event(), False),
        ({"events": ["asset.ready"]}, an_event(), True),
        ({"events": ["asset.ready"]}, an_event("asset.deleted"), False),
        ({"events": ["job.done", "asset.*"]}, an_event("asset.deleted"), True),
        ({"events": ["asset.*"]}, an_event("job.done"), False),
    ],
)
def test_an_endpoint_is_told_what_it_wants_of_its_owners_assets(data: Any, event: Event, wanted: bool) -> None:
    assert endpoints.wants(an_endpoint(**data), event) is wanted


def test_a_delivery_is_made_once_and_has_its_place_in_the_log() -> None:
    first, again = (deliveries.of_event(an_endpoint(), an_event()) for _ in range(2))
    other = deliveries.of_event(replace(an_endpoint(), id="f" * 32), an_event())
    assert (first.id == again.id, first.id == other.id, first.due_at) == (True, False, 7.0)


def test_what_is_refused_is_tried_for_a_day_and_what_nobody_answers_keeps_its_place() -> None:
    at, refused = 1.8e9, deliveries.of_event(an_endpoint(), an_event())
    waits = []
    while refused.state == deliveries.WAITING:
        changes = deliveries.after(refused, REFUSED, at, 0.0)
        refused = replace(refused, **changes)
        if refused.due_at is not None:
            assert refused.due_at == refused.data["next_at"]
            waits.append(refused.due_at - at)
            at = refused.due_at
    assert len(waits) == len(deliveries.DELAYS)
    assert all(0.8 * delay <= wait <= 1.2 * delay for wait, delay in zip(waits, deliveries.DELAYS, strict=True))
    assert (refused.state, refused.data["attempts"], refused.data["status_code"]) == ("failed", 10, 500)

    unanswered = deliveries.of_event(an_endpoint(), an_event())
    for _ in range(50):
        unanswered = replace(unanswered, **deliveries.after(unanswered, NOBODY, 1.8e9, 30.0))
        assert (unanswered.state, unanswered.due_at, unanswered.data["next_at"]) == ("waiting", 7.0, 1.8e9 + 30)
    assert deliveries.after(unanswered, NOBODY, 1.8e9 + DAY, 30.0)["state"] == "failed"
    assert deliveries.after(unanswered, THANKS, 1.8e9 + DAY, 0.0)["state"] == "delivered"
    assert deliveries.after(unanswered, Answer(410, "it answered 410"), 1.8e9, 0.0)["state"] == "failed"

    again = replace(refused, **deliveries.replayed(refused))
    assert replace(again, **deliveries.after(again, REFUSED, at, 0.0)).state == "waiting"


@pytest.mark.parametrize(
    ("known", "answer", "expected"),
    [
        ({}, THANKS, {"failing_since": None, "misses": 0, "held": None, "disabled": None}),
        ({"misses": 3, "failing_since": 5.0}, THANKS, {"failing_since": None, "misses": 0, "held": None}),
        ({}, REFUSED, {"failing_since": 1e9, "misses": 0, "held": None}),
        ({}, NOBODY, {"failing_since": 1e9, "misses": 1, "held": (4, 6)}),
        ({"misses": 1, "failing_since": 5e8}, NOBODY, {"misses": 2, "held": (24, 36), "disabled": "for 5 days"}),
        ({"misses": 2, "failing_since": 1e9 - 60}, NOBODY, {"misses": 3, "held": (96, 144)}),
        ({"misses": 40, "failing_since": 1e9 - DAY}, NOBODY, {"misses": 41, "held": (600, 600)}),
        ({}, Answer(503, "busy", "", 120.0), {"misses": 1, "held": (120, 120)}),
        ({}, Answer(503, "busy", "", 1e9), {"misses": 1, "held": (3600, 3600)}),
        ({}, Answer(410, "gone"), {"disabled": "410 Gone"}),
        ({"failing_since": 1e9 - 5 * DAY}, REFUSED, {"disabled": "for 5 days nothing arrived; the last time: it answ"}),
        ({"failing_since": 1e9 - 4.9 * DAY}, REFUSED, {"disabled": None}),
    ],
)
def test_an_endpoint_that_fails_is_left_alone_and_at_last_disabled(known: Any, answer: Answer, expected: Any) -> None:
    after = deliveries.endpoint_after(an_endpoint(**known).data, answer, 1e9)
    if expected.get("disabled"):
        assert expected["disabled"] in after["disabled_reason"]
        return
    assert after["disabled_reason"] is None
    for name in {"failing_since", "misses"} & expected.keys():
        assert after[name] == expected[name]
    if expected.get("held"):
        least, most = expected["held"]
        assert least <= after["held_until"] - 1e9 <= most
    else:
        assert after["held_until"] is None
