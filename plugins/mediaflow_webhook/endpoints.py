"""Endpoints: who wants to be told what, and where. Each is a record; what may be in one is said here.

A record of kind `endpoint` is of its owner, in the state `enabled` or `disabled`. `due_at` is when something may be
sent to it: who sends looks at these first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from mediaflow.plugin import EVENTS, Conflict, Event, InvalidInput, NotFound, Problem, Record, Records
from mediaflow_webhook.signing import new_secret

KIND: Final = "endpoint"
ENABLED: Final = "enabled"
DISABLED: Final = "disabled"
OLD_SECRET_SECONDS: Final = 24 * 3600.0
MOST_OLD_SECRETS: Final = 4
TRIES: Final = 20
Edit = Callable[[Record], Record]
GROUPS: Final = tuple(sorted({f"{name.partition('.')[0]}.*" for name in EVENTS}))


def new_endpoint(endpoint_id: str, owner: str, fields: Mapping[str, Any], since: int) -> Record:
    """A record of somebody's endpoint, which is told what happens after event number `since`, with its secret."""
    data = {
        "url": fields["url"],
        "events": list(fields.get("events", ())),
        "description": fields.get("description", ""),
        "all_owners": bool(fields.get("all_owners")),
        "secret": new_secret(),
        "old_secrets": [],
        **fresh(since),
    }
    return Record(id=endpoint_id, kind=KIND, owner=owner, state=ENABLED, data=data)


def fresh(since: int) -> dict[str, Any]:
    """What an endpoint knows that nothing was sent to yet."""
    return {"since": since, "disabled_reason": None, "failing_since": None, "misses": 0, "held_until": None}


def wants(endpoint: Record, event: Event) -> bool:
    """True when the endpoint is to be told of the event."""
    data = endpoint.data
    if (event.number or 0) <= data["since"] or not (data["all_owners"] or event.owner == endpoint.owner):
        return False
    wanted = data["events"]
    return not wanted or event.name in wanted or f"{event.name.partition('.')[0]}.*" in wanted


def invalid(pointer: str, detail: str) -> InvalidInput:
    """What is wrong with one member of a request."""
    problem = Problem("request.invalid_field", detail, pointer)
    return InvalidInput(f"{pointer}: {detail}", problems=(problem,))


def secrets_at(endpoint: Record, now: float) -> list[str]:
    """The secrets that sign at that time, the newest first."""
    old = [secret for secret, until in endpoint.data["old_secrets"] if until > now]
    return [endpoint.data["secret"], *old]


def rotated(endpoint: Record, now: float) -> Record:
    """The endpoint with a fresh secret; those that it had go on for a day, the last few of them."""
    data = endpoint.data
    old = [[data["secret"], now + OLD_SECRET_SECONDS], *([s, until] for s, until in data["old_secrets"] if until > now)]
    return replace(endpoint, data={**data, "secret": new_secret(), "old_secrets": old[:MOST_OLD_SECRETS]})


def edit(records: Records, endpoint_id: str, edited: Edit) -> Record:
    """Change an endpoint as `edited` says, again and again while others change it too.

    NotFound when it is not there, Conflict when others do not stop.
    """
    for _ in range(TRIES):
        found = records.get(endpoint_id)
        if found is None or found.kind != KIND:
            raise no_webhook()
        changed = edited(found)
        if changed == found:
            return found
        changes = {name: getattr(changed, name) for name in ("state", "due_at", "data")}
        if (kept := records.change(endpoint_id, changes, rev=found.rev)) is not None:
            return kept
    raise Conflict("Others keep changing this webhook; try again.")


def woken(endpoint: Record, now: float) -> Record:
    """The endpoint with something to send, at once unless it is left alone for a while."""
    if endpoint.state != ENABLED:
        return endpoint
    return replace(endpoint, due_at=max(now, endpoint.data["held_until"] or 0.0))


def no_webhook() -> NotFound:
    """The answer for what is not there, and for what is not yours."""
    return NotFound("There is no such webhook.", code="webhook.not_found")


def derived_id(*parts: str) -> str:
    """The same id for the same parts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
