"""Who is asking, and what their credential opens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from mediaflow.domain.errors import Unauthenticated

Role = Literal["user", "admin"]
ROLES: Final[tuple[Role, ...]] = ("user", "admin")

Scope = Literal["assets:read", "assets:write", "originals:read", "uploads:write", "keys:write", "admin"]
SCOPES: Final[tuple[Scope, ...]] = (
    "assets:read",
    "assets:write",
    "originals:read",
    "uploads:write",
    "keys:write",
    "admin",
)
"""What a credential may be limited to. `keys:write` makes and ends credentials; `admin` opens the operations of admins,
to those who are."""

LOCAL: Final = "jwt"
OUTSIDE: Final = "jwks"
SESSION: Final = "session"


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody known: `user` owns things, `admin` sees everybody's. `scopes` limit what this credential opens.

    `person` is the id of somebody of an outside issuer (`outside.py`), and None for users of ours; `user` is the same
    unless the operator linked them to a local name; `admin_by` is what made them an admin. `credential` tells
    the kind and id of what they showed, for the audit log: `jwt` (a token of ours), `jwks` (one of the outside issuer),
    `session`, `key:<id>`, or `code` where a one-time code is being used up.
    """

    user: str
    role: Role
    scopes: frozenset[str] = frozenset(SCOPES)
    credential: str = field(default=LOCAL, compare=False)
    person: str | None = None
    admin_by: tuple[str, ...] = field(default=(), compare=False)

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"


def known_scopes(names: Iterable[str]) -> frozenset[str]:
    """Those of the names that are scopes here; the others open nothing."""
    return frozenset(names) & frozenset(SCOPES)


def bad_token(reason: str | None = None) -> Unauthenticated:
    """The answer to a credential that can't be trusted; a reason, which helps forgers, is for what we signed."""
    told = f"The token is not valid here: {reason}." if reason else "The token is not valid here."
    return Unauthenticated(told, code="auth.bad_token")
