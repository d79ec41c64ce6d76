"""The documents by which people and machines get in: login codes, sessions, API keys. See `records.py`."""

from __future__ import annotations

from dataclasses import dataclass, field

from mediaflow.domain.records import SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginCode:
    """A one-time login link's code. `id` is the SHA-256 of the code: the code itself is kept nowhere.

    A browser's session has the same shape (`services/access/sessions.py`): `scopes` are what it opens (None:
    everything), `credential` is what it was opened with, `person` the id of a user of an outside issuer, `admin_by`
    what made them an admin (`claim=value`), `agent` and `address` are the browser's.
    """

    id: str
    user: str
    role: str
    created_at: float
    expires_at: float
    used_at: float | None = None
    scopes: list[str] | None = None
    credential: str | None = None
    person: str | None = None
    admin_by: list[str] = field(default_factory=list)
    agent: str | None = None
    address: str | None = None
    rev: int = 1
    schema: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A machine's key. `secret_hash` is the SHA-256 of its secret, which is shown once and kept nowhere.

    It acts as `owner`, with `role` and with `scopes` at most; `made_by` is the key that made it, when it was one,
    `person` the id of its maker when that is a user of an outside issuer, and `admin_by` what made them an admin
    (`claim=value`) when the key is one's. A key that has ended stays for a month, so that the list tells its end.
    """

    id: str
    owner: str
    name: str
    role: str
    secret_hash: str
    created_at: float
    scopes: list[str] = field(default_factory=list)
    made_by: str | None = None
    person: str | None = None
    admin_by: list[str] = field(default_factory=list)
    expires_at: float | None = None
    last_used_at: float | None = None
    revoked_at: float | None = None
    rev: int = 1
    schema: int = SCHEMA_VERSION
