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

from mediaflow.domain.credentials import ApiKey
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
from mediaflow.domain.older import KNOWS_ISSUERS
from mediaflow.services.access.outside import OutsideUsers, still_trusted
from mediaflow.services.access.principals import SCOPES, Principal, Role, bad_token, known_scopes
from mediaflow.services.paging import Page
from mediaflow.services.ports import Between, Database

PREFIX: Final = "mfk_"
"""By which secret scanners find a key that was left somewhere."""
SECRET_CHARACTERS: Final = 43
"""Of 62 kinds: 256 bits."""
MAX_KEYS: Final = 200
"""Keys of one owner that are neither revoked nor expired."""
ASKED_FOR: Final = frozenset({"originals:read", "keys:write"})
"""A key makes and ends keys only when it was made to: who takes a machine's key must not get rid of its revocation."""
USE_SECONDS: Final = 60.0
"""`last_used_at` is not written more often: a read must not become a write."""
_ALPHABET: Final = string.ascii_letters + string.digits
_KEY: Final = re.compile(rf"{PREFIX}([0-9a-f]{{32}})_([A-Za-z0-9]{{{SECRET_CHARACTERS}}})", re.ASCII)
_CREDENTIAL: Final = "key:"


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """Keys of machines. `outside` are the users of the outside issuer that is trusted now.

    A key lasts for `usual_seconds` when it is made without an end, and never longer than `most_seconds`.
    """

    database: Database
    outside: OutsideUsers | None = None
    usual_seconds: float = 90 * 86400
    most_seconds: float = 366 * 86400

    def create(
        self,
        maker: Principal,
        name: str,
        *,
        role: Role = "user",
        scopes: Collection[str] | None = None,
        expires_at: float | None = None,
        expires_in_seconds: float | None = None,
    ) -> tuple[ApiKey, str]:
        """A new key of the maker's, and its text, which is kept nowhere.

        It never opens more than its maker does, nor longer than a key that makes it: Forbidden. Without `scopes` it
        opens what the maker opens, except making and ending keys, which is to be asked for.
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
            person=maker.person,
            admin_by=list(maker.admin_by) if role == "admin" else [],
            expires_at=self._end(maker, self._wanted(expires_at, expires_in_seconds, now), now),
        )
        if self._living(maker.user, now) >= MAX_KEYS:
            raise Conflict(
                f"You have {MAX_KEYS} keys, which is the most; revoke one that is not needed.", code="limit.api_keys"
            )
        self.database.api_keys.insert(key)
        if key.made_by and self._is_revoked(key.made_by):  # while this one was made, so it was not among its keys
            self._end_with_its_keys(key)
            raise Unauthenticated("This API key was revoked; make a new one.", code="auth.key_revoked")
        return key, f"{PREFIX}{key.id}_{secret}"

    def verify(self, text: str) -> Principal:
        """Whose key it is; Unauthenticated when it is unknown, revoked or expired, or its issuer is trusted no more."""
        match = _KEY.fullmatch(text)
        if match is None:
            raise bad_token()
        key, now = self.database.api_keys.get(match[1]), self.database.now()
        if key is None or not hmac.compare_digest(key.secret_hash, _hash(match[2])):
            raise bad_token()
        # only who knows the secret is told more
        if key.revoked_at is not None:
            raise Unauthenticated("This API key was revoked; make a new one.", code="auth.key_revoked")
        if self.end_of(key) <= now:
            raise Unauthenticated("This API key has expired; make a new one.", code="auth.key_expired")
        self._check_maker(key)
        self._note_use(key, now)
        role: Role = "admin" if key.role == "admin" else "user"
        scopes = known_scopes(key.scopes)
        return Principal(key.owner, role, scopes, f"{_CREDENTIAL}{key.id}", key.person, tuple(key.admin_by))

    def end_of(self, key: ApiKey) -> float:
        """When the key ends by itself, in seconds since the epoch: one that was made for ever, too."""
        longest = key.created_at + self.most_seconds
        return longest if key.expires_at is None else min(key.expires_at, longest)

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

    def revoke_all(self, principal: Principal, user: str | None) -> int:
        """End all keys of the principal (of another `user`: for admins), for good; how many that were."""
        if user not in (None, principal.user) and not principal.is_admin:
            raise Forbidden("Only admins revoke others' keys.", code="auth.role")
        where = {"owner": principal.user if user is None else user, "revoked_at": None}
        revoked = 0
        while found := self.database.api_keys.find(where):  # again: one of them may have made another meanwhile
            for key in found:
                changes = {"revoked_at": self.database.now()}
                revoked += self.database.api_keys.change(key.id, {"revoked_at": None}, changes) is not None
        return revoked

    def without_issuer(self) -> int:
        """How many keys are of versions that did not note whose issuer their makers came from, and not revoked."""
        return sum(key.schema < KNOWS_ISSUERS for key in self.database.api_keys.find({"revoked_at": None}))

    def _check_maker(self, key: ApiKey) -> None:
        """Unauthenticated when today's settings no longer let the key's maker be whom it acts as."""
        if key.schema < KNOWS_ISSUERS and self.outside is not None:
            raise Unauthenticated(
                "This API key is of a version that did not note whose issuer its maker came from; make a new one.",
                code="auth.key_issuer",
            )
        if not still_trusted(self.outside, key, key.owner):
            raise Unauthenticated(
                "This API key is of a user of an issuer that is not trusted so far any more; make a new one.",
                code="auth.key_issuer",
            )

    def _living(self, owner: str, now: float) -> int:
        where = {"owner": owner, "revoked_at": None}
        return sum(self.database.api_keys.count(where | {"expires_at": end}) for end in (Between(least=now), None))

    def _end_with_its_keys(self, key: ApiKey) -> None:
        self.database.api_keys.change(key.id, {"revoked_at": None}, {"revoked_at": self.database.now()})
        for made in self.database.api_keys.find({"owner": key.owner, "made_by": key.id, "revoked_at": None}):
            self._end_with_its_keys(made)

    def _is_revoked(self, key_id: str) -> bool:
        key = self.database.api_keys.get(key_id)
        return key is None or key.revoked_at is not None

    def _wanted(self, at: float | None, in_seconds: float | None, now: float) -> float | None:
        """The end that was asked for, when it is one."""
        pointer = "/expires_at" if in_seconds is None else "/expires_in_seconds"
        wanted = at if in_seconds is None else now + in_seconds
        if wanted is not None and wanted <= now:
            raise _invalid(pointer, "must be in the future")
        if wanted is not None and wanted > now + self.most_seconds:
            raise _invalid(pointer, f"must be at most {self.most_seconds:.0f} s from now")
        return wanted

    def _end(self, maker: Principal, wanted: float | None, now: float) -> float:
        usual = now + min(self.usual_seconds, self.most_seconds)
        parent_id = _parent(maker)
        if parent_id is None:
            return usual if wanted is None else wanted
        parent = self.database.api_keys.get(parent_id)
        limit = self.end_of(parent) if parent else now
        if wanted is not None and wanted > limit:
            raise Forbidden("A key can't make one that lasts longer than itself.", code="auth.key_too_long")
        return min(usual, limit) if wanted is None else wanted

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
        left_out = ASKED_FOR if role == "admin" else {*ASKED_FOR, "admin"}
        found = [str(scope) for scope in SCOPES if scope in maker.scopes and scope not in left_out]
        if not found:
            raise _invalid("/scopes", "must be there: your own credential opens nothing else")
        return found
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
