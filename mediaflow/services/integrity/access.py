"""API keys, sessions, login codes and kept answers: what is odd in them can open nothing, or keeps somebody out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from mediaflow.domain.credentials import ApiKey, LoginCode
from mediaflow.domain.requestrecords import Answer
from mediaflow.services.access.principals import SCOPES
from mediaflow.services.integrity.findings import Finding, Mend, by_id, pages, setting
from mediaflow.services.ports import Database
from mediaflow.services.requests.idempotency import LEASE_SECONDS

_ROLES: Final = ("user", "admin")
HOUR_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class KeyExaminer:
    """API keys. One that is odd is revoked: whoever needs it makes another."""

    database: Database

    kind = "API keys"

    def suspects(self, told: Callable[[int], None]) -> Iterator[Finding]:
        for page in pages(self.database.api_keys):
            yield from self._look(page)
            told(len(page))

    def again(self, subject: str) -> Iterator[Finding]:
        key = self.database.api_keys.get(subject)
        return self._look([key] if key else [])

    def _look(self, keys: list[ApiKey]) -> Iterator[Finding]:
        makers = by_id(self.database.api_keys, (key.made_by for key in keys))
        now = self.database.now()
        for key in keys:
            if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
                continue
            maker = makers.get(key.made_by or "")
            if key.made_by is not None and (maker is None or maker.revoked_at is not None):
                detail = f"the key {key.made_by} that made it is " + ("not there" if maker is None else "revoked")
                yield Finding("api_key.no_maker", key.id, detail, "it is revoked", self._revoking(key))
            if key.role not in _ROLES or set(key.scopes) - set(SCOPES):
                detail = f"its role {key.role!r} or one of its scopes {', '.join(key.scopes)} is not known"
                yield Finding("api_key.odd", key.id, detail, "it is revoked", self._revoking(key))

    def _revoking(self, key: ApiKey) -> Mend:
        changes = {"revoked_at": self.database.now()}
        return setting(self.database.api_keys, key.id, {"revoked_at": None}, changes)


@dataclass(frozen=True, slots=True)
class SessionExaminer:
    """Sessions and login codes. One that is odd is removed: people sign in again."""

    database: Database

    kind = "sessions"

    def suspects(self, told: Callable[[int], None]) -> Iterator[Finding]:
        for page in pages(self.database.login_codes):
            yield from self._look(page)
            told(len(page))

    def again(self, subject: str) -> Iterator[Finding]:
        record = self.database.login_codes.get(subject)
        return self._look([record] if record else [])

    def _look(self, records: list[LoginCode]) -> Iterator[Finding]:
        for record in records:
            odd_dates = (
                record.expires_at < record.created_at or (record.used_at or record.created_at) < record.created_at
            )
            if odd_dates or record.role not in _ROLES or set(record.scopes or ()) - set(SCOPES):
                detail = f"its dates, its role {record.role!r} or its scopes can't be"
                yield Finding("session.odd", record.id, detail, "it is removed", self._removing(record))

    def _removing(self, record: LoginCode) -> Mend:
        return lambda: self.database.login_codes.remove(record.id, {"rev": record.rev})


@dataclass(frozen=True, slots=True)
class AnswerExaminer:
    """Answers kept for repeats of a request. One that is worked on for ever would keep its request from being made."""

    database: Database

    kind = "answers"

    def suspects(self, told: Callable[[int], None]) -> Iterator[Finding]:
        for page in pages(self.database.answers):
            yield from self._look(page)
            told(len(page))

    def again(self, subject: str) -> Iterator[Finding]:
        answer = self.database.answers.get(subject)
        return self._look([answer] if answer else [])

    def _look(self, answers: list[Answer]) -> Iterator[Finding]:
        latest = self.database.now() + LEASE_SECONDS + HOUR_SECONDS
        for answer in answers:
            if answer.status is None and answer.expires_at > latest:
                detail = "the request is said to be worked on for longer than any is"
                mend = self._removing(answer)
                yield Finding("answer.unfinished", answer.id, detail, "it is removed, the request can be made", mend)

    def _removing(self, answer: Any) -> Mend:
        return lambda: self.database.answers.remove(answer.id, {"rev": answer.rev})
