"""What is posted: the body of each event, `{type, timestamp, data}` as Standard Webhooks has it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from mediaflow.plugin import Event

LARGEST_BODY_BYTES: Final = 64 * 1024
TEST: Final = "webhook.test"
"""Sent when somebody asks for it; no filter keeps it back."""


def event_body(event: Event) -> str:
    """The body for an event of the log. What makes it too large is left out, and `data_omitted` says so."""
    facts = {
        "event_id": event.id,
        "number": event.number,
        "owner": event.owner,
        "asset_id": event.asset_id,
        "job_id": event.job_id,
    }
    body = _body(event.name, event.at, {**event.data, **facts})
    if len(body.encode()) <= LARGEST_BODY_BYTES:
        return body
    return _body(event.name, event.at, {**facts, "data_omitted": True})


def test_body(webhook_id: str, at: float) -> str:
    """The body of a test."""
    return _body(TEST, at, {"webhook_id": webhook_id})


def _body(name: str, at: float, data: Mapping[str, Any]) -> str:
    written = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"type": name, "timestamp": written, "data": data}, separators=(",", ":"))
