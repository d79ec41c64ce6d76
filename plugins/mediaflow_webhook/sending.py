"""Sending: events of the log become deliveries, and due deliveries are posted, several endpoints at a time.

One worker of the installation does this at a time (periodic work). One thread decides and keeps the records; others do
nothing but post. An endpoint has one delivery under way, so that its deliveries arrive in order, and one that hangs
keeps a single thread; an owner has a few, so that nobody's endpoints keep all of them.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from typing import Any, Final

from mediaflow.plugin import MediaContext, NotFound, Record, ServiceContext
from mediaflow_webhook import deliveries, endpoints, posting, signing
from mediaflow_webhook.deliveries import Answer
from mediaflow_webhook.posting import Poster

THREADS: Final = 16
THREADS_OF_AN_OWNER: Final = 4
BATCH: Final = 50
"""Deliveries that an endpoint sends in one turn, while others wait for theirs."""
EVENTS_AT_ONCE: Final = 100
ROUND_SECONDS: Final = 10.0
"""Nothing is begun later than this in one round, which then ends with what is under way."""
SPARE_SECONDS: Final = 2.0
LIMIT_SECONDS: Final = ROUND_SECONDS + posting.LIMIT_SECONDS + 2 * SPARE_SECONDS
"""A round ends within this."""
CLAIM_SECONDS: Final = 30.0
"""An endpoint whose worker died is looked at again so much later."""
POLL_SECONDS: Final = 0.25
CURSOR: Final = "cursor"
DELIVERIES: Final = "mediaflow_webhook_deliveries_total"
ATTEMPT: Final = "mediaflow_webhook_attempt_seconds"
DISABLED: Final = "mediaflow_webhook_endpoints_disabled_total"
_FAR: Final = 1e12
_log = logging.getLogger(__name__)


def begin_log(context: MediaContext | ServiceContext) -> None:
    """Deal with events from now on. Done before the first endpoint is there; repeated, it changes nothing."""
    if context.records.get(CURSOR) is None:
        context.records.insert(Record(id=CURSOR, kind="cursor", data={"number": context.events.last()}))


@dataclass(slots=True)
class Line:
    """An endpoint that has its turn, and what is left of the deliveries that it sends in it."""

    endpoint: Record
    waiting: deque[Record]
    current: Record | None = None
    began: float = 0.0


@dataclass(slots=True)
class Round:
    """One run of the periodic work: until nothing is due, and not for long."""

    context: MediaContext
    poster: Poster
    ends_at: float = field(default_factory=lambda: time.monotonic() + ROUND_SECONDS)
    _lines: dict[str, Line] = field(default_factory=dict)
    _flights: dict[Future[Answer], str] = field(default_factory=dict)

    def run(self) -> None:
        """Send what is due."""
        while True:
            more = False
            if time.monotonic() < self.ends_at:
                more = self.fan_out()
                for line in self._turns():
                    self._go_on(line)
            if not self._flights and not more:
                return
            done, _ = wait(self._flights, 0.0 if more else POLL_SECONDS, FIRST_COMPLETED)
            for flight in done:
                self._landed(self._flights.pop(flight), flight.result())
            self._give_up_late()

    # --- events become deliveries

    def fan_out(self) -> bool:
        """Make the deliveries of the next events that nobody dealt with yet; True when there may be more of them.

        Repeated, it makes none a second time. It is a few at a time, so that who makes many keeps nobody waiting.
        """
        records = self.context.records
        cursor = records.get(CURSOR)
        if cursor is None or not (events := self.context.events.after(cursor.data["number"], limit=EVENTS_AT_ONCE)):
            return False
        told: dict[str, None] = {}
        for endpoint in self._enabled():
            for event in events:
                if endpoints.wants(endpoint, event):
                    records.insert(deliveries.of_event(endpoint, event))
                    told[endpoint.id] = None
        for endpoint_id in told:
            self._edit(endpoint_id, lambda found: endpoints.woken(found, time.time()))
        records.change(CURSOR, {"data": {"number": events[-1].number}}, rev=cursor.rev)
        return len(events) >= EVENTS_AT_ONCE

    def _enabled(self) -> Iterator[Record]:
        skip = 0
        while found := self.context.records.find(endpoints.KIND, state=endpoints.ENABLED, skip=skip, limit=100):
            yield from found
            skip += len(found)

    # --- whose turn it is

    def _turns(self) -> Iterator[Line]:
        """Take endpoints that are due, those that have waited longest first, while there are threads for them."""
        now = time.time()
        owners = Counter(line.endpoint.owner for line in self._lines.values())
        due = self.context.records.find(endpoints.KIND, state=endpoints.ENABLED, due_before=now, limit=500)
        for endpoint in due:
            if len(self._lines) >= THREADS:
                return
            if endpoint.id in self._lines or owners[endpoint.owner] >= THREADS_OF_AN_OWNER:
                continue
            claimed = self.context.records.change(endpoint.id, {"due_at": now + CLAIM_SECONDS}, rev=endpoint.rev)
            if claimed is not None:
                owners[endpoint.owner] += 1
                line = Line(claimed, deque(self._due_of(endpoint.id, now)))
                self._lines[endpoint.id] = line
                yield line

    def _due_of(self, endpoint_id: str, now: float) -> list[Record]:
        found = self.context.records.find(deliveries.KIND, subject=endpoint_id, due_before=now, limit=BATCH)
        return sorted(found, key=lambda delivery: delivery.data["number"])

    # --- one delivery after the other

    def _go_on(self, line: Line) -> None:
        """Post the line's next delivery, or end its turn."""
        endpoint = self.context.records.get(line.endpoint.id)
        if endpoint is None or endpoint.state != endpoints.ENABLED:
            del self._lines[line.endpoint.id]
            return
        line.endpoint = endpoint
        if not line.waiting or time.monotonic() >= self.ends_at:
            self._settle(line)
            return
        line.current, line.began = line.waiting.popleft(), time.monotonic()
        now = time.time()
        body = line.current.data["body"].encode()
        headers = {
            "content-type": "application/json",
            "user-agent": "mediaflow-webhook",
            **signing.headers(line.current.id, int(now), body, endpoints.secrets_at(endpoint, now)),
        }
        flight: Future[Answer] = Future()
        self._flights[flight] = endpoint.id
        arguments = (flight, endpoint.data["url"], headers, body)
        # a thread that the end of the process does not wait for: what it sends is sent again
        threading.Thread(target=self._post, args=arguments, name="webhook", daemon=True).start()

    def _post(self, flight: Future[Answer], url: str, headers: Mapping[str, str], body: bytes) -> None:
        try:
            flight.set_result(self.poster.post(url, headers, body))
        except Exception as error:  # noqa: BLE001 - what is wrong with one message must not keep the others
            _log.exception("a webhook could not be sent")
            flight.set_result(Answer(None, f"it could not be sent: {type(error).__name__}"))

    def _give_up_late(self) -> None:
        """What has no answer long after it should have: nothing limits how long a name is looked up."""
        longest = self.poster.limit_seconds + SPARE_SECONDS
        late = [f for f, of in self._flights.items() if time.monotonic() - self._lines[of].began > longest]
        for flight in late:
            self._landed(self._flights.pop(flight), Answer(None, f"no answer within {longest:g} s"))

    def _landed(self, endpoint_id: str, answer: Answer) -> None:
        line = self._lines[endpoint_id]
        self.context.metrics.observe(ATTEMPT, time.monotonic() - line.began)
        now = time.time()
        known = self._known_after(line.endpoint, answer, now)
        if line.current is not None:
            held_until = known["held_until"] if known else None
            changes = deliveries.after(line.current, answer, now, (held_until or now) - now)
            outcome = {deliveries.DELIVERED: "delivered", deliveries.FAILED: "given_up"}.get(changes.get("state", ""))
            self.context.metrics.count(DELIVERIES, outcome=outcome or "retried")
            self.context.records.change(line.current.id, changes, state=deliveries.WAITING)
        if answer.error is not None and answer.away:
            self._give_up_old(line, now)
            line.waiting.clear()
        self._go_on(line)

    def _known_after(self, endpoint: Record, answer: Answer, now: float) -> Mapping[str, Any] | None:
        """Keep what the attempt tells of the endpoint; None when it is not there any more."""

        def edited(found: Record) -> Record:
            if found.data["url"] != endpoint.data["url"] or found.state != endpoints.ENABLED:
                return found  # somebody has changed it meanwhile: this tells nothing of what it is now
            data = deliveries.endpoint_after(found.data, answer, now)
            if data["disabled_reason"] is None:
                return replace(found, data=data)
            return replace(found, state=endpoints.DISABLED, due_at=None, data=data)

        kept = self._edit(endpoint.id, edited)
        if kept is not None and kept.state == endpoints.DISABLED and kept.data["disabled_reason"]:
            self.context.metrics.count(DISABLED)
            _log.warning("webhook %s of %s is disabled: %s", kept.id, kept.owner, kept.data["disabled_reason"])
        return kept.data if kept is not None else None

    def _give_up_old(self, line: Line, now: float) -> None:
        """What waits behind, for a day in which nobody answered, is not tried for ever."""
        failing_since = line.endpoint.data["failing_since"]
        if failing_since is None or now - failing_since < deliveries.GIVE_UP_SECONDS:
            return
        for waiting in line.waiting:
            if now - waiting.created_at >= deliveries.GIVE_UP_SECONDS:
                self.context.metrics.count(DELIVERIES, outcome="given_up")
                self.context.records.change(waiting.id, deliveries.given_up(waiting), state=deliveries.WAITING)

    def _settle(self, line: Line) -> None:
        """End an endpoint's turn: it is due again when its next delivery is."""

        def settled(found: Record) -> Record:
            if found.state != endpoints.ENABLED:
                return replace(found, due_at=None)
            following = self.context.records.find(deliveries.KIND, subject=found.id, due_before=_FAR, limit=1)
            if not following:
                return replace(found, due_at=None)
            return endpoints.woken(found, max(time.time(), following[0].due_at or 0.0))

        del self._lines[line.endpoint.id]
        self._edit(line.endpoint.id, settled)

    def _edit(self, endpoint_id: str, edited: endpoints.Edit) -> Record | None:
        with contextlib.suppress(NotFound):  # it was removed meanwhile
            return endpoints.edit(self.context.records, endpoint_id, edited)
        return None
