"""Tokens of stream paths: whoever has one may watch one asset, until it ends or the asset's privacy changes."""

from __future__ import annotations

import base64
import hmac
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from mediaflow.domain.records import Asset
from mediaflow.services.access.keyfile import derived_key

_STREAM_TOKEN: Final = re.compile(r"([1-9a-f][0-9a-f]{0,11})-([A-Za-z0-9_-]{43})", re.ASCII)
"""One way to write each token, so that none has aliases: no zeros in front, no capitals, no padding."""


class Streamed(Protocol):
    """What a stream token is bound to: the record itself, or these fields of it, read fresh."""

    @property
    def id(self) -> str: ...
    @property
    def acl_epoch(self) -> int: ...


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

    def check(self, token: str, asset: Streamed) -> bool:
        """True when the token opens this asset now."""
        match = _STREAM_TOKEN.fullmatch(token)
        if match is None:
            return False
        expiry = int(match[1], 16)
        # texts are compared, not what they decode to: the last character of 43 has two bits that say nothing
        return hmac.compare_digest(match[2], self._signature(asset, expiry)) and expiry > self.clock()

    def _signature(self, asset: Streamed, expiry: int) -> str:
        message = f"{asset.id} {asset.acl_epoch} {expiry}".encode()
        digest = hmac.digest(derived_key(self.key, "stream token"), message, "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
