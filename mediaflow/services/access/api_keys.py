"""API keys: how programs show who they are for longer than a token lasts. Shown once, kept as a hash, revocable."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from mediaflow.domain.errors import (
    Conflict,
    Forbidden,
    InsufficientStorage,
    InvalidInput,
    NotFound,
    Problem,
    Unauthenticated,
    Unavailable,
)
from mediaflow.domain.ids import new_id
from mediaflow.domain.records import ApiKey
from mediaflow.services.access.principals import SCOPES, Principal, Role, bad_token, known_scopes
from mediaflow.services.paging import Page
from mediaflow.services.ports import Database

PREFIX: Final = "mfk_"
"""By which secret scanners find a key that was left somewhere."""
SECRET_CHARACTERS: Final = 43
"""Of 62 kinds: 256 bits."""
MAX_KEYS: Final = 200
"""Keys of one owner that are not revoked."""
USE_SECONDS: Final = 60.0
"""`last_used_at` is not written more often: a read must not become a write."""
_ALPHABET: Final = string.ascii_letters + string.digits
_KEY: Final = re.compile(rf"{PREFIX}([0-9a-f]{{32}})_([A-Za-z0-9]{{{SECRET_CHARACTERS}}})", re.ASCII)
_CREDENTIAL: Final = "key:"


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """Keys of machines."""

    database: Database

    def create(
        self,
        maker: Principal,
        name: str,
        *,
        role: Role = "user",
        scopes: Collection[str] | None = None,
        expires_at: float | None = None,
    ) -> tuple[ApiKey, str]:
        """A new key of the maker's, and its text, which is kept nowhere.

        It never opens more than its maker does, nor longer than a key that makes it: Forbidden. Without `scopes` it
        opens what the maker opens.
        """
        now = self.database.now()
        secret = "".join(secrets.choice(_ALPHABET) for _ in range(SECRET_CHARACTERS))
        key = ApiKey(
            id=new_id(),
            owner=maker.user,
            name=name,
            role=_role(maker, role),
            secret_hash=_hash(secret),
            created_at=now,
            scopes=_scopes(maker, role, scopes),
            made_by=_parent(maker),
            expires_at=self._end(maker, expires_at, now),
        )
        if self.database.api_keys.count({"owner": maker.user, "revoked_at": None}) >= MAX_KEYS:
            raise Conflict(
                f"You have {MAX_KEYS} keys, which is the most; revoke one that is not needed.", code="limit.api_keys"
            )
        self.database.api_keys.insert(key)
        if key.made_by and self._is_revoked(key.made_by):  # while this one was made, so it was not among its keys
            self._end_with_its_keys(key)
            raise Unauthenticated("This API key was revoked; make a new one.", code="auth.key_revoked")
        return key, f"{PREFIX}{key.id}_{secret}"

    def verify(self, text: str) -> Principal:
        """Whose key it is; Unauthenticated when it is unknown, revoked or expired."""
        match = _KEY.fullmatch(text)
        if match is None:
            raise bad_token()
        key, now = self.database.api_keys.get(match[1]), self.database.now()
        if key is None or not hmac.compare_digest(key.secret_hash, _hash(match[2])):
            raise bad_token()
        # only who knows the secret is told more
        if key.revoked_at is not None:
            raise Unauthenticated("This API key was revoked; make a new one.", code="auth.key_revoked")
        if key.expires_at is not None and key.expires_at <= now:
            raise Unauthenticated("This API key has expired; make a new one.", code="auth.key_expired")
        self._note_use(key, now)
        role: Role = "admin" if key.role == "admin" else "user"
        return Principal(key.owner, role, known_scopes(key.scopes), f"{_CREDENTIAL}{key.id}")

    def page(self, owner: str | None, page: int, page_size: int) -> Page[ApiKey]:
        """An owner's keys (None: everybody's), newest first, revoked ones too."""
        where = {} if owner is None else {"owner": owner}
        skip = (page - 1) * page_size
        items = self.database.api_keys.find(where, sort=("-created_at", "id"), skip=skip, limit=page_size)
        return Page(items, page, page_size, self.database.api_keys.count(where))

    def revoke(self, principal: Principal, key_id: str) -> None:
        """End a key and those that were made with it, at once and for good: who took one may have made more.

        Repeating does no harm; NotFound when it is not the principal's.
        """
        key = self.database.api_keys.get(key_id)
        if key is None or not (principal.is_admin or key.owner == principal.user):
            raise NotFound("There is no such API key.", code="auth.no_such_key")
        self._end_with_its_keys(key)

    def _end_with_its_keys(self, key: ApiKey) -> None:
        self.database.api_keys.change(key.id, {"revoked_at": None}, {"revoked_at": self.database.now()})
        for made in self.database.api_keys.find({"owner": key.owner, "made_by": key.id, "revoked_at": None}):
            self._end_with_its_keys(made)

    def _is_revoked(self, key_id: str) -> bool:
        key = self.database.api_keys.get(key_id)
        return key is None or key.revoked_at is not None

    def _end(self, maker: Principal, expires_at: float | None, now: float) -> float | None:
        if expires_at is not None and expires_at <= now:
            raise _invalid("/expires_at", "must be in the future")
        parent_id = _parent(maker)
        if parent_id is None:
            return expires_at
        parent = self.database.api_keys.get(parent_id)
        limit = parent.expires_at if parent else now
        if limit is None:
            return expires_at
        if expires_at is not None and expires_at > limit:
            raise Forbidden("A key can't make one that lasts longer than itself.", code="auth.key_too_long")
        return limit if expires_at is None else expires_at

    def _note_use(self, key: ApiKey, now: float) -> None:
        if key.last_used_at is None or key.last_used_at <= now - USE_SECONDS:
            # a full disk must not lock out those who read; of several processes one writes
            with contextlib.suppress(Unavailable, InsufficientStorage):
                self.database.api_keys.change(key.id, {"last_used_at": key.last_used_at}, {"last_used_at": now})


def _parent(maker: Principal) -> str | None:
    """The id of the key that the maker showed, when it was one."""
    return maker.credential.removeprefix(_CREDENTIAL) if maker.credential.startswith(_CREDENTIAL) else None


def _role(maker: Principal, role: Role) -> Role:
    if role == "admin" and not maker.is_admin:
        raise Forbidden("Only an admin can make a key with the role admin.", code="auth.role")
    return role


def _scopes(maker: Principal, role: Role, wanted: Collection[str] | None) -> list[str]:
    """In the order of SCOPES. `admin` says nothing for a user's key."""
    if wanted is None:
        return [scope for scope in SCOPES if scope in maker.scopes and (scope != "admin" or role == "admin")]
    if not wanted:
        raise _invalid("/scopes", "must name at least one; leave it out for all that you have")
    if "admin" in wanted and role != "admin":
        raise _invalid("/scopes", "`admin` is for keys with the role admin")
    if more := [scope for scope in SCOPES if scope in wanted and scope not in maker.scopes]:
        raise Forbidden(
            f"Your own credential does not open {', '.join(f'`{scope}`' for scope in more)}, so your key can't either.",
            code="auth.scope",
        )
    return [scope for scope in SCOPES if scope in wanted]


def _invalid(pointer: str, detail: str) -> InvalidInput:
    problem = Problem("request.invalid_field", detail, pointer)
    return InvalidInput(f"{pointer}: {detail}", problems=(problem,))


def _hash(secret: str) -> str:
    """SHA-256 suffices: the secret is random, there is no dictionary of it."""
    return hashlib.sha256(secret.encode()).hexdigest()
