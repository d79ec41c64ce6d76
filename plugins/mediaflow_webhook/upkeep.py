"""What old deliveries and removed endpoints leave behind is taken away, a little at a time."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from mediaflow.plugin import MediaContext, Record
from mediaflow_webhook import deliveries, endpoints

KEPT_SECONDS: Final = 30 * 24 * 3600.0
MOST_KEPT: Final = 10_000
"""Deliveries of an endpoint, the newest; waiting ones are no exception."""
REMOVED: Final = "removed"
AT_ONCE: Final = 500
LONGEST_SECONDS: Final = 20.0


def tidy(context: MediaContext) -> None:
    """Remove deliveries that are old or too many, and those of endpoints that were removed."""
    until = time.monotonic() + LONGEST_SECONDS
    records = context.records
    for removed in records.find(REMOVED):
        while time.monotonic() < until:
            left = records.find(deliveries.KIND, subject=removed.subject, limit=AT_ONCE)
            _remove(context, left)
            if len(left) < AT_ONCE:
                records.remove(removed.id)
                break
    skip = 0
    while time.monotonic() < until and (found := records.find(endpoints.KIND, skip=skip, limit=100)):
        for endpoint in found:
            _remove(context, _surplus(context, endpoint))
        skip += len(found)


def _surplus(context: MediaContext, endpoint: Record) -> list[Record]:
    find, oldest = context.records.find, time.time() - KEPT_SECONDS
    over = find(deliveries.KIND, subject=endpoint.id, newest_first=True, skip=MOST_KEPT, limit=AT_ONCE)
    old = find(deliveries.KIND, subject=endpoint.id, limit=AT_ONCE)
    return [*over, *(delivery for delivery in old if delivery.created_at < oldest)]


def _remove(context: MediaContext, found: Iterable[Record]) -> None:
    for delivery in found:
        context.records.remove(delivery.id)
