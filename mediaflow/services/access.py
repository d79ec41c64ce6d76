"""Who is asking: API tokens (RFC 7519), one-time login codes, browser sessions, and stream tokens.

One key per installation; what is not an API token is made with keys derived from it, so that none passes for another.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import math
import os
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import jwt

from mediaflow.domain.errors import ConfigurationError, InvalidInput, Unauthenticated
from mediaflow.domain.records import Asset, LoginCode
from mediaflow.services.ports import Database
from mediaflow.settings import Settings

Role = Literal["user", "admin"]
ROLES: Final[tuple[Role, ...]] = ("user", "admin")
ALGORITHM: Final = "HS256"
MIN_KEY_BYTES: Final = 32
"""RFC 7518 section 3.2: a key as long as the hash."""
MAX_USER_CHARACTERS: Final = 200
CLOCK_SKEW_SECONDS: Final = 60.0
"""How far in the future a token's `iat` may lie: issuer and service are two machines."""
_STREAM_TOKEN: Final = re.compile(r"([0-9a-f]{1,12})-([A-Za-z0-9_-]{43})")


Scope = Literal["assets:read", "assets:write", "uploads:write", "admin"]
SCOPES: Final[tuple[Scope, ...]] = ("assets:read", "assets:write", "uploads:write", "admin")
"""What a credential may be limited to. `admin` opens the operations of admins, to those who are."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody known: `user` owns things, `admin` sees everybody's. `scopes` limit what this credential opens.

    `credential` tells the kind and id of what they showed (`jwt`, `session`, `key:<id>`), for the audit log.
    """

    user: str
    role: Role
    scopes: frozenset[str] = frozenset(SCOPES)
    credential: str = field(default="jwt", compare=False)

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"


# --- keys


def load_or_create_key(settings: Settings) -> bytes:
    """The installation's key: the configured one, or the one in the data directory, made at first use (mode 0600).

    Safe when several processes start at once: the first file that is there whole is everybody's key.
    """
    if settings.jwt_key:
        return _checked_key(settings.jwt_key.encode(), "MEDIAFLOW_JWT_KEY")
    path = settings.data_path / "keys" / "jwt.key"
    if not path.exists():
        _create_key(path)
    return _checked_key(path.read_bytes().strip(), str(path))


def derived_key(key: bytes, purpose: str) -> bytes:
    """A key of its own for one purpose: HMAC-SHA256 of the purpose under the installation's key."""
    return hmac.digest(key, b"mediaflow " + purpose.encode(), "sha256")


def _checked_key(key: bytes, place: str) -> bytes:
    if len(key) < MIN_KEY_BYTES:
        raise ConfigurationError(
            f"{place}: the key has {len(key)} bytes, but must have at least {MIN_KEY_BYTES}; "
            "`openssl rand -hex 32` makes a good one"
        )
    return key


def _create_key(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_hex(32).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            # a link fails where a rename would replace the key that another process has just made and signs with
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink()
    except OSError as error:
        raise ConfigurationError(
            f"{path}: the key can't be made there ({error.strerror}); "
            "make the directory writable or set MEDIAFLOW_JWT_KEY"
        ) from error


# --- API tokens


@dataclass(frozen=True, slots=True)
class Tokens:
    """API tokens: JWTs with `exp iat aud iss sub` and a `role`, the algorithm pinned."""

    key: bytes
    issuer: str
    audience: str

    def mint(self, user: str, role: Role, seconds: int) -> str:
        """A token for that user, valid for so long."""
        if not _is_user(user):
            raise InvalidInput(
                f"{user[:50]!r} is no user name: 1 to {MAX_USER_CHARACTERS} printable characters", code="auth.bad_user"
            )
        now = int(time.time())
        claims = {"sub": user, "role": role, "iss": self.issuer, "aud": self.audience, "iat": now, "exp": now + seconds}
        return jwt.encode(claims, self.key, algorithm=ALGORITHM)

    def verify(self, token: str) -> Principal:
        """Whose token it is; Unauthenticated (`auth.token_expired`, `auth.bad_token`) when it can't be trusted."""
        return self.read(token)[0]

    def read(self, token: str) -> tuple[Principal, float]:
        """As `verify`, with the time at which the token ends."""
        try:
            claims = jwt.decode(
                token,
                self.key,
                algorithms=[ALGORITHM],
                audience=self.audience,
                issuer=self.issuer,
                # `iat` is checked below, with room for clocks that differ
                options={"require": ["exp", "iat", "aud", "iss", "sub"], "verify_iat": False},
            )
            ends = float(claims["exp"])
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("The token has expired; get a new one.", code="auth.token_expired") from error
        except (jwt.PyJWTError, OverflowError) as error:  # a whole number of JSON may be larger than any float
            raise _bad_token() from error
        return _principal(claims), ends


def _principal(claims: dict[str, Any]) -> Principal:
    user, role, issued = claims["sub"], claims.get("role", "user"), claims["iat"]
    is_time = isinstance(issued, (int, float)) and not isinstance(issued, bool)
    if not is_time or not issued <= time.time() + CLOCK_SKEW_SECONDS or role not in ROLES or not _is_user(user):
        raise _bad_token()
    return Principal(user, role)


def _is_user(user: object) -> bool:
    return isinstance(user, str) and 0 < len(user) <= MAX_USER_CHARACTERS and user.isprintable()


def _bad_token() -> Unauthenticated:
    return Unauthenticated("The token is not valid here.", code="auth.bad_token")


# --- one-time codes and browser sessions


@dataclass(frozen=True, slots=True)
class LoginCodes:
    """One-time login links. The code itself is kept nowhere, only its SHA-256."""

    database: Database

    def create(self, user: str, role: Role, seconds: int) -> str:
        """A fresh code that signs in as that user, once, within so many seconds."""
        code, now = secrets.token_urlsafe(32), self.database.now()
        record = LoginCode(id=_sha256(code), user=user, role=role, created_at=now, expires_at=now + seconds)
        self.database.login_codes.insert(record)
        return code

    def redeem(self, code: str) -> Principal:
        """Use the code up; Unauthenticated (`auth.login_code`) when it is unknown, used or expired."""
        record, now = self.database.login_codes.get(_sha256(code)), self.database.now()
        if record is not None and record.expires_at > now:
            used = self.database.login_codes.change(record.id, {"used_at": None}, {"used_at": now})
            if used is not None:
                return _recorded(used)
        raise Unauthenticated(
            "This login link was used already or has expired; ask for a new one.", code="auth.login_code"
        )


@dataclass(frozen=True, slots=True)
class Sessions:
    """Signed-in browsers. A session is a record, so that signing out ends it everywhere.

    It lies beside the login codes, in the same shape, under an id that no code can have.
    """

    database: Database

    def open(self, principal: Principal, seconds: float) -> str:
        """The secret of a new session, for the cookie."""
        secret, now = secrets.token_urlsafe(32), self.database.now()
        record = LoginCode(
            id=_session_id(secret),
            user=principal.user,
            role=principal.role,
            created_at=now,
            expires_at=now + seconds,
            used_at=now,
        )
        self.database.login_codes.insert(record)
        return secret

    def find(self, secret: str) -> Principal | None:
        """Whose session it is, or None when there is none (any more)."""
        record = self.database.login_codes.get(_session_id(secret))
        return _recorded(record) if record is not None and record.expires_at > self.database.now() else None

    def close(self, secret: str) -> None:
        """End the session; one that is not there is no error."""
        self.database.login_codes.remove(_session_id(secret))


def _recorded(record: LoginCode) -> Principal:
    return Principal(record.user, "admin" if record.role == "admin" else "user")


def _session_id(secret: str) -> str:
    return _sha256(f"session:{secret}")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


# --- stream tokens


@dataclass(frozen=True, slots=True)
class StreamTokens:
    """Tokens that open one asset's stream and nothing else: `{expiry in hex}-{HMAC-SHA256 in base64url}`.

    The HMAC is over asset, `acl_epoch` and expiry, so that a change of privacy ends every token, and all viewers of a
    time bucket get the same one and share a CDN's copy.
    """

    key: bytes
    bucket_seconds: int
    clock: Callable[[], float] = time.time

    def mint(self, asset: Asset) -> tuple[str, float]:
        """The token of this bucket, and its end: the end of the next bucket plus the duration rounded up to buckets."""
        bucket = int(self.clock() // self.bucket_seconds)
        lasting = math.ceil((asset.duration_seconds or 0.0) / self.bucket_seconds)
        expiry = (bucket + 2 + lasting) * self.bucket_seconds
        return f"{expiry:x}-{self._signature(asset, expiry)}", float(expiry)

    def check(self, token: str, asset: Asset) -> bool:
        """True when the token opens this asset now."""
        match = _STREAM_TOKEN.fullmatch(token)
        if match is None:
            return False
        expiry = int(match[1], 16)
        return hmac.compare_digest(match[2], self._signature(asset, expiry)) and expiry > self.clock()

    def _signature(self, asset: Asset, expiry: int) -> str:
        message = f"{asset.id} {asset.acl_epoch} {expiry}".encode()
        digest = hmac.digest(derived_key(self.key, "stream token"), message, "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
