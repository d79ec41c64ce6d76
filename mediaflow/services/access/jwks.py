"""The public keys of an outside issuer of tokens (RFC 7517): fetched when needed, kept, fetched again.

PyJWT's own client is not enough here: its time-out is for each read and not for the whole, its answer has no bound, it
forgets its keys while the issuer is away, and an issuer that does not answer is asked by every request.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import jwt
import structlog

from mediaflow.domain.errors import ConfigurationError, MediaflowError, Unavailable

ALGORITHMS: Final = ("RS256", "ES256")
MIN_RSA_BITS: Final = 2048
"""RFC 7518 section 3.3."""
MAX_KEYS: Final = 100
FRESH_SECONDS: Final = 300.0
"""Keys are asked for again after this time: so long does a key that was withdrawn still verify."""
STALE_SECONDS: Final = 24 * 3600.0
"""So long do we go on with the last keys when the issuer is away."""
COOLDOWN_SECONDS: Final = 10.0
"""Between two requests to the issuer, whatever tokens come in: their key ids are anybody's choice."""
WAIT_SECONDS: Final = 3.0
"""How long a request waits for the keys that another one is fetching."""
_PUBLIC: Final[Mapping[str, tuple[str, ...]]] = {"RS256": ("kty", "n", "e"), "ES256": ("kty", "crv", "x", "y")}

_log = structlog.get_logger(__name__)


class KeySet:
    """The issuer's keys. `fetch` gives the JWKS document's bytes, or raises an error of ours. Safe between threads."""

    def __init__(self, fetch: Callable[[], bytes], clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch, self._clock = fetch, clock
        self._one_at_a_time = threading.Lock()
        self._keys: Mapping[tuple[str, str], jwt.PyJWK] = {}
        self._fetched = self._asked = -math.inf

    def find(self, name: str, algorithm: str) -> jwt.PyJWK | None:
        """The key of that id and algorithm, or None. `Unavailable` when the issuer's keys are not to be had at all."""
        key = self._keys.get((name, algorithm))
        if key is None or self._age() >= FRESH_SECONDS:
            # who has a key to go on with does not wait for somebody else's request
            self._refresh(WAIT_SECONDS if key is None else 0.0)
        if self._age() >= STALE_SECONDS:
            raise Unavailable("The issuer of this token does not answer; try again later.", code="auth.issuer_away")
        return self._keys.get((name, algorithm))

    def _age(self) -> float:
        return self._clock() - self._fetched

    def _refresh(self, wait_seconds: float) -> None:
        if not self._one_at_a_time.acquire(timeout=wait_seconds):
            return
        try:
            # asked under the lock: whom we waited for may have fetched just now
            if self._clock() - self._asked >= COOLDOWN_SECONDS:
                self._asked = self._clock()
                self._keys = read_keys(self._fetch())
                self._fetched = self._clock()
        except (MediaflowError, ValueError) as error:
            _log.warning("no keys from the outside issuer", reason=str(error))
        finally:
            self._one_at_a_time.release()


def read_keys(document: bytes) -> dict[tuple[str, str], jwt.PyJWK]:
    """The usable keys of a JWKS by id and algorithm; ValueError when there is none.

    A key is bound to its one algorithm: RSA to RS256, P-256 to ES256. Others, weak ones, those for encryption and those
    without an id are left out.
    """
    try:
        entries = list(json.loads(document)["keys"])[:MAX_KEYS]
    except (TypeError, KeyError, RecursionError) as error:
        raise ValueError("the answer is no JWKS") from error
    found: dict[tuple[str, str], jwt.PyJWK] = {}
    for entry in entries:
        key = _usable(entry) if isinstance(entry, dict) else None
        if key is not None:
            found.setdefault((entry["kid"], key.algorithm_name), key)
    if not found:
        raise ValueError(f"the JWKS has no key with a `kid` for {' or '.join(ALGORITHMS)}")
    return found


def checked_url(url: str) -> str:
    """The URL itself when keys can be fetched there; ConfigurationError otherwise."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a broken IPv6 address
        usable = False
    if not usable or parts.username is not None or parts.fragment or not url.isascii() or not url.isprintable():
        raise ConfigurationError(
            f"MEDIAFLOW_JWKS_URL is {url!r}, but must be an http(s) URL, without a password: "
            "https://issuer.example/.well-known/jwks.json"
        )
    return url


def _usable(entry: Mapping[str, Any]) -> jwt.PyJWK | None:
    algorithm = {"RSA": "RS256", "EC": "ES256"}.get(str(entry.get("kty")))
    if algorithm is None or entry.get("alg", algorithm) != algorithm or entry.get("use", "sig") != "sig":
        return None
    if not isinstance(entry.get("kid"), str) or not entry["kid"]:
        return None
    operations = entry.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    if algorithm == "ES256" and entry.get("crv") != "P-256":
        return None
    try:
        # the public members only: an issuer that publishes its private key must not make us hold it
        key = jwt.PyJWK({name: entry[name] for name in _PUBLIC[algorithm]}, algorithm)
    except (jwt.PyJWTError, KeyError, ValueError, TypeError):
        return None
    return None if algorithm == "RS256" and key.key.key_size < MIN_RSA_BITS else key
