"""API tokens (RFC 7519): ours, signed with the installation's key, and those of an outside issuer.

A token's issuer decides which keys may verify it, and each key knows one algorithm; the token has no say in either.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import jwt

from mediaflow.domain.errors import ConfigurationError
from mediaflow.services.access.jwks import ALGORITHMS, KeySet, checked_url
from mediaflow.services.access.jwt_form import REQUIRED, Unverified, opened, principal_of, token_expired
from mediaflow.services.access.principals import (
    LOCAL,
    OUTSIDE,
    SCOPES,
    Principal,
    Role,
    bad_token,
    checked_user,
    known_scopes,
)
from mediaflow.settings import Settings

ALGORITHM: Final = "HS256"


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of our own issuer: `exp iat aud iss sub`, a `role`, and a `scope` when they are limited."""

    key: bytes
    issuer: str
    audience: str

    def mint(self, user: str, role: Role, seconds: int, scopes: Iterable[str] | None = None) -> str:
        """A token for that user, valid for so long, that opens these scopes (None: everything)."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "sub": checked_user(user),
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
        return principal_of(claims, credential=LOCAL)


@dataclass(frozen=True, slots=True)
class OutsideTokens:
    """Tokens of another issuer, which signs with RS256 or ES256 and publishes its keys (RFC 7517)."""

    keys: KeySet
    issuer: str
    audience: str
    role_claim: str

    def read(self, token: Unverified) -> tuple[Principal, float]:
        """Whose token it is and when it ends; `Unavailable` when the issuer's keys were never to be had."""
        name, algorithm = token.header.get("kid"), token.header.get("alg")
        if not isinstance(name, str) or not name or algorithm not in ALGORITHMS:
            raise bad_token()
        key = self.keys.find(name, algorithm)
        if key is None:
            raise bad_token()
        claims = _verified(token, key, key.algorithm_name, issuer=self.issuer, audience=self.audience)
        return principal_of(claims, credential=OUTSIDE, role_claim=self.role_claim)


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


def outside_settings(settings: Settings) -> tuple[str, str, str, str] | None:
    """URL, issuer, audience and role claim of the outside issuer; None when there is none.

    Raises ConfigurationError when the settings make no sense together.
    """
    url, issuer, audience = settings.jwks_url, settings.jwks_issuer, settings.jwks_audience
    if not url:
        for name in ("jwks_issuer", "jwks_audience"):
            if getattr(settings, name):
                raise ConfigurationError(
                    f"MEDIAFLOW_{name.upper()} is set, but MEDIAFLOW_JWKS_URL is not: "
                    "set the address of the outside issuer's keys, or neither"
                )
        return None
    if not issuer:
        raise ConfigurationError(
            "MEDIAFLOW_JWKS_URL is set, but MEDIAFLOW_JWKS_ISSUER is not: set the `iss` of that issuer's tokens"
        )
    if issuer == settings.jwt_issuer:
        raise ConfigurationError(
            f"MEDIAFLOW_JWKS_ISSUER and MEDIAFLOW_JWT_ISSUER are both {issuer!r}: "
            "they must differ, so that a token's issuer tells which keys verify it"
        )
    if not settings.jwks_role_claim:
        raise ConfigurationError("MEDIAFLOW_JWKS_ROLE_CLAIM is empty: name the claim that holds the role")
    return checked_url(url), issuer, audience or settings.jwt_audience, settings.jwks_role_claim
