"""What every JWT must be before anybody looks whose it is, and what its claims must say (RFC 7519, RFC 8725).

Stricter than the libraries: one way to write each token, no repeated members, no numbers that are none.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeGuard

from mediaflow.domain.errors import Unauthenticated
from mediaflow.services.access.principals import SCOPES, bad_token, known_scopes

LONGEST_TOKEN: Final = 8192
"""Characters; a web server takes no longer header line either."""
CLOCK_SKEW_SECONDS: Final = 60.0
"""How far in the future `iat` and `nbf` may lie: issuer and service are two machines."""
LONGEST_SUBJECT: Final = 255
"""Characters (OpenID Connect Core section 2)."""
REQUIRED: Final = ("exp", "iat", "aud", "iss", "sub")
TYPES: Final = ("jwt", "at+jwt")
"""Values of the header's `typ` (RFC 8725 section 3.11, RFC 9068): an ID token or a logout token is no API token."""
UNSUPPORTED: Final = ("crit", "b64", "zip")
"""Header members that change how a token is read: who does not know them must refuse it (RFC 7515 section 4.1.11)."""
_COMPACT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.ASCII)
_LATEST: Final = 2**53
"""Seconds; JSON's numbers are exact up to here (RFC 8259 section 6)."""


@dataclass(frozen=True, slots=True)
class Unverified:
    """A token that is well formed. Nothing that it says is to be believed yet."""

    text: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]


def opened(token: str) -> Unverified:
    """The parts of a token; Unauthenticated when it is none."""
    match = _COMPACT.fullmatch(token) if len(token) <= LONGEST_TOKEN else None
    if match is None:
        raise bad_token()
    header, claims = _object(_bytes(match[1])), _object(_bytes(match[2]))
    _bytes(match[3])
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in TYPES:
        raise bad_token()
    if any(name in header for name in UNSUPPORTED):
        raise bad_token()
    return Unverified(token, header, claims)


@dataclass(frozen=True, slots=True)
class Grant:
    """What verified claims say: about whom, what the token opens, and when it ends (seconds since the epoch)."""

    subject: str
    scopes: frozenset[str]
    ends: float


def granted(claims: Mapping[str, Any]) -> Grant:
    """What verified claims say, checked; Unauthenticated (`auth.token_expired`) when the token's time is over."""
    subject, now = claims["sub"], time.time()
    ends, issued, begins = (claims.get(name) for name in ("exp", "iat", "nbf"))
    if not _is_time(ends) or not _is_time(issued) or not (begins is None or _is_time(begins)):
        raise bad_token()
    if issued > now + CLOCK_SKEW_SECONDS or (begins is not None and begins > now + CLOCK_SKEW_SECONDS):
        raise bad_token()
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise bad_token()
    if ends <= now:
        raise token_expired()
    return Grant(subject, _scopes(claims), float(ends))


def token_expired() -> Unauthenticated:
    """The answer to a token whose time is over."""
    return Unauthenticated("The token has expired; get a new one.", code="auth.token_expired")


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """RFC 8693 section 4.2: words with a space between. A token without the claim is not limited."""
    if "scope" not in claims:
        return frozenset(SCOPES)
    if not isinstance(claims["scope"], str):
        raise bad_token()
    return known_scopes(claims["scope"].split(" "))


def _is_time(value: Any) -> TypeGuard[float]:
    """A NumericDate: a number of seconds. NaN and infinity fail the comparison."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -_LATEST <= value <= _LATEST


def _bytes(segment: str) -> bytes:
    """What base64url decodes to, when this is the one way to write it (RFC 4648 section 3.5)."""
    try:
        decoded = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except binascii.Error as error:
        raise bad_token() from error
    if base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() != segment:
        raise bad_token()
    return decoded


def _object(data: bytes) -> dict[str, Any]:
    try:
        # decoded here: json.loads would guess UTF-16 and UTF-32 as well
        value = json.loads(data.decode(), object_pairs_hook=_without_repeats, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise bad_token() from error
    if not isinstance(value, dict):
        raise bad_token()
    return value


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands there twice; readers would differ in which one counts")
    return members


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
