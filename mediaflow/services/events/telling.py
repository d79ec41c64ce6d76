"""How a write says what it tells: the one way there is, for changes and for new records."""

from __future__ import annotations

from typing import Any

from mediaflow.domain.events import Event
from mediaflow.services.ports import Put


def telling(*events: Event) -> dict[str, Any]:
    """What to add to the changes of a record with an outbox; nothing without events."""
    if not events:
        return {}
    return {"outbox": Put({event.id: event.document() for event in events}), "tell_at": events[-1].at}


def with_told(*events: Event) -> dict[str, Any]:
    """The fields of a new record with an outbox; none without events."""
    if not events:
        return {}
    return {"outbox": {event.id: event.document() for event in events}, "tell_at": events[-1].at}
