"""The installation's key: configured, or made at first use. Whatever is signed here is signed with it or what it makes.

What is not an API token is made with keys derived from it, so that none passes for another.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from mediaflow.domain.errors import ConfigurationError
from mediaflow.settings import Settings

MIN_KEY_BYTES: Final = 32
"""RFC 7518 section 3.2: a key as long as the hash."""


def load_or_create_key(settings: Settings) -> bytes:
    """The installation's key: the configured one, or the one in the data directory, made at first use (mode 0600).

    Safe when several processes start at once: the first file that is there whole is everybody's key.
    """
    if settings.jwt_key:
        return _checked_key(settings.jwt_key.encode(), "MEDIAFLOW_JWT_KEY")
    path = key_file(settings)
    if not path.exists():
        _create_key(path)
    return _checked_key(path.read_bytes().strip(), str(path))


def key_file(settings: Settings) -> Path:
    """Where a key is kept that is not configured."""
    return settings.data_path / "keys" / "jwt.key"


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
