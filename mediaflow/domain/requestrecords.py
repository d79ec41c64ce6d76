"""The documents of requests: what was asked by whom, and the answers that a repeat gets again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mediaflow.domain.records import SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what. `action` is the operation's id, `subject` the id that it was done to, `status` the HTTP status."""

    id: str
    at: float
    user: str
    role: str
    action: str
    status: int
    request_id: str
    address: str | None = None
    credential: str | None = None
    subject: str | None = None
    asset_id: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    rev: int = 1
    schema: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a POST with an `Idempotency-Key`, kept so that a repeat gets the same one.

    `id` is derived from user and key; `fingerprint` is a hash of the request. `status` is None while it is worked on.
    """

    id: str
    user: str
    fingerprint: str
    created_at: float
    expires_at: float
    status: int | None = None
    headers: dict[str, Any] = field(default_factory=dict)
    body: str | None = None
    rev: int = 1
    schema: int = SCHEMA_VERSION
