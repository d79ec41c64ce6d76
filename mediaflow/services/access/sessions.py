"""Signing in: one-time login codes, and the sessions of browsers."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any, Final

from mediaflow.domain.credentials import LoginCode
from mediaflow.domain.errors import Forbidden, NotFound, Unauthenticated
from mediaflow.domain.older import KNOWS_ISSUERS
from mediaflow.services.access.keyfile import derived_key
from mediaflow.services.access.outside import OutsideUsers, still_trusted
from mediaflow.services.access.principals import LOCAL, OUTSIDE, SCOPES, SESSION, Principal, Role
from mediaflow.services.paging import Page
from mediaflow.services.ports import Between, Database, OneOf

CODE: Final = "code"
"""The `credential` of somebody who has a one-time code."""
MAX_SESSIONS: Final = 100
"""Of one user: more than anybody has browsers, and what somebody with a token can fill the database with."""
_OPENED_WITH: Final = (LOCAL, OUTSIDE, CODE)
"""The `credential` of the records that are sessions; those of login codes have none."""


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
    installation's key, so that a new key ends every session together with every token. `outside` are the users of the
    outside issuer that is trusted now; what was opened by one ends when they no longer are who they were.
    """

    database: Database
    key: bytes
    outside: OutsideUsers | None = None

    def open(
        self, principal: Principal, seconds: float, *, agent: str | None = None, address: str | None = None
    ) -> str:
        """The secret of a new session, for the cookie. It opens what the principal's credential opens, not more.

        `agent` and `address` tell people which browser it is. The oldest of too many sessions ends.
        """
        secret, now = secrets.token_urlsafe(32), self.database.now()
        record = LoginCode(
            id=self.id_of(secret),
            user=principal.user,
            role=principal.role,
            created_at=now,
            expires_at=now + seconds,
            used_at=now,
            scopes=sorted(principal.scopes),
            credential=principal.credential,
            person=principal.person,
            admin_by=list(principal.admin_by),
            agent=agent,
            address=address,
        )
        self.database.login_codes.insert(record)
        where = {"user": principal.user, "credential": OneOf(_OPENED_WITH)}
        for oldest in self.database.login_codes.find(where, sort=("-created_at", "id"), skip=MAX_SESSIONS):
            self.database.login_codes.remove(oldest.id)
        return secret

    def find(self, secret: str) -> Principal | None:
        """Whose session it is, or None when there is none (any more)."""
        record = self.database.login_codes.get(self.id_of(secret))
        if record is None or record.expires_at <= self.database.now():
            return None
        if not still_trusted(self.outside, record, record.user):
            return None
        return _recorded(record, SESSION)

    def close(self, secret: str) -> None:
        """End the session; one that is not there is no error."""
        self.database.login_codes.remove(self.id_of(secret))

    def page(self, principal: Principal, user: str | None, page: int, page_size: int) -> Page[LoginCode]:
        """The sessions of the principal (of another `user`: for admins) that have not ended, newest first."""
        where = self._of(principal, user) | {"expires_at": Between(self.database.now())}
        skip = (page - 1) * page_size
        items = self.database.login_codes.find(where, sort=("-created_at", "id"), skip=skip, limit=page_size)
        return Page(items, page, page_size, self.database.login_codes.count(where))

    def end(self, principal: Principal, session_id: str) -> None:
        """End a session by its id; NotFound when it is not the principal's, nor they an admin, or it ended before."""
        record = self.database.login_codes.get(session_id)
        known = record is not None and record.credential in _OPENED_WITH
        if record is None or not known or not (principal.is_admin or record.user == principal.user):
            raise NotFound("There is no such session.", code="auth.no_such_session")
        self.database.login_codes.remove(session_id)

    def end_all(self, principal: Principal, user: str | None, *, but: str | None = None) -> int:
        """End all sessions of the principal (of another `user`: for admins), but that of the secret; how many."""
        kept, ended = None if but is None else self.id_of(but), 0
        for record in self.database.login_codes.find(self._of(principal, user)):
            ended += record.id != kept and self.database.login_codes.remove(record.id)
        return ended

    def id_of(self, secret: str) -> str:
        """The session's id, which is no secret: nobody gets from it to what the cookie holds."""
        made = hmac.new(derived_key(self.key, "session"), _encoded(secret), hashlib.sha256)
        # half of it: the form of all ids, which is also how no code's can be (they have 64 characters)
        return made.hexdigest()[:32]

    def _of(self, principal: Principal, user: str | None) -> dict[str, Any]:
        if user not in (None, principal.user) and not principal.is_admin:
            raise Forbidden("Only admins see and end others' sessions.", code="auth.role")
        # those of older versions have ids of another form and open nothing any more
        known = {"credential": OneOf(_OPENED_WITH), "schema": Between(KNOWS_ISSUERS)}
        return {"user": principal.user if user is None else user} | known


def _recorded(record: LoginCode, credential: str) -> Principal:
    scopes = frozenset(SCOPES) if record.scopes is None else frozenset(record.scopes)
    role: Role = "admin" if record.role == "admin" else "user"
    return Principal(record.user, role, scopes, credential, record.person, tuple(record.admin_by))


def _code_id(code: str) -> str:
    return hashlib.sha256(_encoded(code)).hexdigest()


def _encoded(text: str) -> bytes:
    """Whatever a client sent, lone surrogates too: it is looked up, not shown."""
    return text.encode("utf-8", "surrogatepass")
