"""Signing in: one-time login codes, and the sessions of browsers."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from mediaflow.domain.errors import Unauthenticated
from mediaflow.domain.records import LoginCode
from mediaflow.services.access.keyfile import derived_key
from mediaflow.services.access.principals import OUTSIDE, SCOPES, SESSION, Principal, Role
from mediaflow.services.ports import Database

CODE: Final = "code"
"""The `credential` of somebody who has a one-time code."""


@dataclass(frozen=True, slots=True)
class LoginCodes:
    """One-time login links. The code itself is kept nowhere, only its SHA-256."""

    database: Database

    def create(self, user: str, role: Role, seconds: int) -> str:
        """A fresh code that signs in as that user, once, within so many seconds."""
        code, now = secrets.token_urlsafe(32), self.database.now()
        record = LoginCode(id=_code_id(code), user=user, role=role, created_at=now, expires_at=now + seconds)
        self.database.login_codes.insert(record)
        return code

    def redeem(self, code: str) -> Principal:
        """Use the code up; Unauthenticated (`auth.login_code`) when it is unknown, used or expired."""
        record, now = self.database.login_codes.get(_code_id(code)), self.database.now()
        if record is not None and record.expires_at > now:
            used = self.database.login_codes.change(record.id, {"used_at": None}, {"used_at": now})
            if used is not None:
                return _recorded(used, CODE)
        raise Unauthenticated(
            "This login link was used already or has expired; ask for a new one.", code="auth.login_code"
        )


@dataclass(frozen=True, slots=True)
class Sessions:
    """Signed-in browsers. A session is a record, so that signing out ends it everywhere.

    It lies beside the login codes, in the same shape, under an id that no code can have: a MAC of its secret under the
    installation's key, so that a new key ends every session together with every token. `outside` tells whether the
    tokens of an outside issuer are taken; what was opened with one ends when they no longer are.
    """

    database: Database
    key: bytes
    outside: bool = False

    def open(self, principal: Principal, seconds: float) -> str:
        """The secret of a new session, for the cookie. It opens what the principal's credential opens, not more."""
        secret, now = secrets.token_urlsafe(32), self.database.now()
        record = LoginCode(
            id=self._id(secret),
            user=principal.user,
            role=principal.role,
            created_at=now,
            expires_at=now + seconds,
            used_at=now,
            scopes=sorted(principal.scopes),
            credential=principal.credential,
        )
        self.database.login_codes.insert(record)
        return secret

    def find(self, secret: str) -> Principal | None:
        """Whose session it is, or None when there is none (any more)."""
        record = self.database.login_codes.get(self._id(secret))
        if record is None or record.expires_at <= self.database.now():
            return None
        if record.credential == OUTSIDE and not self.outside:
            return None
        return _recorded(record, SESSION)

    def close(self, secret: str) -> None:
        """End the session; one that is not there is no error."""
        self.database.login_codes.remove(self._id(secret))

    def _id(self, secret: str) -> str:
        return hmac.new(derived_key(self.key, "session"), _encoded(secret), hashlib.sha256).hexdigest()


def _recorded(record: LoginCode, credential: str) -> Principal:
    scopes = frozenset(SCOPES) if record.scopes is None else frozenset(record.scopes)
    return Principal(record.user, "admin" if record.role == "admin" else "user", scopes, credential)


def _code_id(code: str) -> str:
    return hashlib.sha256(_encoded(code)).hexdigest()


def _encoded(text: str) -> bytes:
    """Whatever a client sent, lone surrogates too: it is looked up, not shown."""
    return text.encode("utf-8", "surrogatepass")
