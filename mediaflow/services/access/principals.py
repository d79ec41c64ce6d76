"""Who is asking, and what their credential opens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from mediaflow.domain.errors import InvalidInput, Unauthenticated

Role = Literal["user", "admin"]
ROLES: Final[tuple[Role, ...]] = ("user", "admin")
MAX_USER_CHARACTERS: Final = 200
NAME_RULE: Final = f"1 to {MAX_USER_CHARACTERS} printable characters"

Scope = Literal["assets:read", "assets:write", "uploads:write", "admin"]
SCOPES: Final[tuple[Scope, ...]] = ("assets:read", "assets:write", "uploads:write", "admin")
"""What a credential may be limited to. `admin` opens the operations of admins, to those who are."""

LOCAL: Final = "jwt"
OUTSIDE: Final = "jwks"
SESSION: Final = "session"


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody known: `user` owns things, `admin` sees everybody's. `scopes` limit what this credential opens.

    `credential` tells the kind and id of what they showed, for the audit log: `jwt` (a token of ours), `jwks` (one of
    the outside issuer), `session`, `key:<id>`, or `code` where a one-time code is being used up.
    """

    user: str
    role: Role
    scopes: frozenset[str] = frozenset(SCOPES)
    credential: str = field(default=LOCAL, compare=False)

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"


def is_user(name: object) -> bool:
    """True when it can be a user's name: 1 to 200 printable characters."""
    return isinstance(name, str) and 0 < len(name) <= MAX_USER_CHARACTERS and name.isprintable()


def checked_user(name: str) -> str:
    """The name itself; InvalidInput when it can be nobody's."""
    if not is_user(name):
        raise InvalidInput(f"{name[:50]!r} is no user name: {NAME_RULE}", code="auth.bad_user")
    return name


def known_scopes(names: Iterable[str]) -> frozenset[str]:
    """Those of the names that are scopes here; the others open nothing."""
    return frozenset(names) & frozenset(SCOPES)


def bad_token() -> Unauthenticated:
    """The answer to a credential that can't be trusted, whatever the reason: reasons help forgers only."""
    return Unauthenticated("The token is not valid here.", code="auth.bad_token")
