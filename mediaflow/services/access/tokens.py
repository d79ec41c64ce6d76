"""API tokens (RFC 7519): ours, signed with the installation's key, and those of an outside issuer.

A token's issuer decides which keys may verify it, and each key knows one algorithm; the token has no say in either.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import jwt

from mediaflow.domain.errors import InvalidInput
from mediaflow.services.access.jwks import ALGORITHMS, KeySet
from mediaflow.services.access.jwt_form import REQUIRED, Unverified, granted, opened, token_expired
from mediaflow.services.access.names import local_name
from mediaflow.services.access.outside import OutsideUsers
from mediaflow.services.access.principals import (
    LOCAL,
    OUTSIDE,
    ROLES,
    SCOPES,
    Principal,
    Role,
    bad_token,
    known_scopes,
)

ALGORITHM: Final = "HS256"


def _named(subject: str) -> str:
    """The user of that name, where nothing is known of documents; Unauthenticated when there can be none."""
    try:
        return local_name(subject)
    except InvalidInput as error:
        raise bad_token(error.detail) from error


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of our own issuer: `exp iat aud iss sub`, a `role`, and a `scope` when they are limited.

    `resolve` tells the user that a subject means, and raises Unauthenticated when there can be none.
    """

    key: bytes
    issuer: str
    audience: str
    resolve: Callable[[str], str] = _named

    def mint(
        self, user: str, role: Role, seconds: int, scopes: Iterable[str] | None = None, *, older: bool = False
    ) -> str:
        """A token for that user, valid for so long, that opens these scopes (None: everything).

        InvalidInput for a name that nobody can have; an `older` one is written as it is, and taken where it is known.
        """
        now = int(time.time())
        claims: dict[str, Any] = {
            "sub": user if older else local_name(user),
            "role": role,
            "iss": self.issuer,
            "aud": self.audience,
            "iat": now,
            "exp": now + seconds,
        }
        if scopes is not None:
            claims["scope"] = " ".join(sorted(known_scopes(scopes), key=list[str](SCOPES).index))
        return jwt.encode(claims, self.key, algorithm=ALGORITHM)

    def verify(self, token: str) -> Principal:
        """Whose token it is; Unauthenticated (`auth.token_expired`, `auth.bad_token`) when it can't be trusted."""
        return self.read(opened(token))[0]

    def read(self, token: Unverified) -> tuple[Principal, float]:
        """As `verify`, with the time at which the token ends."""
        claims = _verified(token, self.key, ALGORITHM, issuer=self.issuer, audience=self.audience)
        grant, role = granted(claims), claims.get("role", "user")
        if role not in ROLES:
            raise bad_token()
        return Principal(self.resolve(grant.subject), role, grant.scopes, LOCAL), grant.ends


@dataclass(frozen=True, slots=True)
class OutsideTokens:
    """Tokens of another issuer, which signs with RS256 or ES256 and publishes its keys (RFC 7517)."""

    keys: KeySet
    users: OutsideUsers
    audience: str

    @property
    def issuer(self) -> str:
        return self.users.issuer

    def read(self, token: Unverified) -> tuple[Principal, float]:
        """Whose token it is and when it ends; `Unavailable` when the issuer's keys were never to be had."""
        name, algorithm = token.header.get("kid"), token.header.get("alg")
        if not isinstance(name, str) or not name or algorithm not in ALGORITHMS:
            raise bad_token()
        key = self.keys.find(name, algorithm)
        if key is None:
            raise bad_token()
        claims = _verified(token, key, key.algorithm_name, issuer=self.issuer, audience=self.audience)
        grant = granted(claims)
        person = self.users.id_of(grant.subject)
        user = self.users.user(person) or person
        admin_by = self.users.admin_by(claims)
        return Principal(user, "admin" if admin_by else "user", grant.scopes, OUTSIDE, person, admin_by), grant.ends


def _verified(
    token: Unverified, key: bytes | jwt.PyJWK, algorithm: str, *, issuer: str, audience: str
) -> dict[str, Any]:
    try:
        return jwt.decode(
            token.text,
            key,
            algorithms=[algorithm],
            audience=audience,
            issuer=issuer,
            # times are checked by `principal_of`, with room for clocks that differ
            options={"require": list(REQUIRED), "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
    except jwt.ExpiredSignatureError as error:
        raise token_expired() from error
    except jwt.PyJWTError as error:
        raise bad_token() from error
