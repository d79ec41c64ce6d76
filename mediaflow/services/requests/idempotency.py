"""A POST with an `Idempotency-Key` is done once: its answer is kept, and a repeat gets the same one.

After draft-ietf-httpapi-idempotency-key-header: a key belongs to one user and to one request. What is kept is the final
answer, a success or an error of the request; an answer that asks to come again frees the key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mediaflow.domain.errors import Busy, InvalidInput
from mediaflow.domain.ids import derived_id
from mediaflow.domain.requestrecords import Answer
from mediaflow.services.ports import Database

LEASE_SECONDS: Final = 60.0
"""A request whose process died blocks its key for so long; no POST of this service takes half of it."""
TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to do a request. `finish` or `release` it."""

    answer_id: str
    created_at: float
    rev: int

    @property
    def held(self) -> dict[str, Any]:
        """What the record says while the claim holds (a record that was made anew begins at the same `rev`)."""
        return {"rev": self.rev, "created_at": self.created_at}


@dataclass(frozen=True, slots=True)
class Idempotency:
    """Kept answers. Every method is safe on several hosts at once."""

    database: Database
    seconds: int

    def begin(self, user: str, key: str, fingerprint: str) -> Claim | Answer:
        """The right to do this request, or the answer that it got before.

        InvalidInput when the key was another request's, Busy while somebody is doing this one.
        """
        answer_id = derived_id("answer", user, key)
        for _ in range(TRIES):
            now = self.database.now()
            fresh = Answer(
                id=answer_id, user=user, fingerprint=fingerprint, created_at=now, expires_at=now + LEASE_SECONDS
            )
            if self.database.answers.insert(fresh):
                return Claim(answer_id, now, fresh.rev)
            known = self.database.answers.get(answer_id)
            if known is None:
                continue  # it was just released or swept
            if known.expires_at > now:
                return _decided(known, fingerprint, now)
            changes = {
                "fingerprint": fingerprint,
                "created_at": now,
                "expires_at": fresh.expires_at,
                "status": None,
                "headers": {},
                "body": None,
            }
            if taken := self.database.answers.change(answer_id, {"rev": known.rev}, changes):
                return Claim(answer_id, now, taken.rev)
        raise _running(1)

    def finish(self, claim: Claim, *, status: int, headers: Mapping[str, str], body: str) -> None:
        """Keep the answer; nothing happens when the claim was lost in the meantime."""
        changes: dict[str, Any] = {
            "status": status,
            "headers": dict(headers),
            "body": body,
            "expires_at": self.database.now() + self.seconds,
        }
        self.database.answers.change(claim.answer_id, claim.held, changes)

    def release(self, claim: Claim) -> None:
        """Free the key: the request may be tried again."""
        self.database.answers.remove(claim.answer_id, claim.held)


def _decided(known: Answer, fingerprint: str, now: float) -> Answer:
    if known.fingerprint != fingerprint:
        raise InvalidInput(
            "This Idempotency-Key was sent with another request before; use a fresh key for each request.",
            code="request.idempotency_mismatch",
        )
    if known.status is None:
        raise _running(max(1, min(5, int(known.expires_at - now))))
    return known


def _running(seconds: int) -> Busy:
    return Busy(
        "The first request with this Idempotency-Key is still being worked on; ask again in a moment.",
        code="request.idempotency_running",
        retry_after_seconds=seconds,
    )
