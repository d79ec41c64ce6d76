"""How much is too much: requests of a user, refused credentials of an address, bytes and assets of an owner.

The same limits hold for users and admins: an admin's stolen token must not be worth more, and a disk knows no roles.
"""

from __future__ import annotations

import hashlib
import ipaddress
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from mediaflow.domain.errors import LimitReached
from mediaflow.domain.records import Asset
from mediaflow.services.ports import Database
from mediaflow.settings import Settings

WINDOW_SECONDS: Final = 60
EXACTNESS: Final = 1000
"""A limit is kept to a thousandth of it for each process; below that number it is exact."""


class Counters(Protocol):
    """Counters that are forgotten by themselves. They never fail: one that can't reach its server counts alone."""

    def add(self, key: str, seconds: int, *, every: int = 1) -> int:
        """Count one more; the count, which is forgotten so many seconds after its first one.

        Processes may tell each other of `every` so many together only.
        """
        ...

    def read(self, key: str) -> int:
        """The count as it is; 0 when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """Where somebody stands within a limit a minute."""

    limit: int
    used: int
    reset_seconds: int

    @property
    def remaining(self) -> int:
        """How many more are free until the reset."""
        return max(0, self.limit - self.used)

    @property
    def exceeded(self) -> bool:
        """True when this one was too many."""
        return self.used > self.limit


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Limits a minute of the clock: one counter each, whose end is known to everybody."""

    counters: Counters
    requests: int
    failures: int
    clock: Callable[[], float] = time.time

    def request(self, user: str) -> Standing | None:
        """Count a request of that user; None when there is no limit."""
        return self._counted("user", user, self.requests) if self.requests else None

    def refused(self, address: str, *, counts: bool) -> Standing | None:
        """Where an address stands whose credentials are refused, after this one if it `counts`; None: no limit."""
        if not self.failures:
            return None
        network = _network(address)
        if counts:
            return self._counted("refused", network, self.failures)
        key, reset = self._window("refused", network)
        return Standing(self.failures, self.counters.read(key) + 1, reset)

    def _counted(self, kind: str, subject: str, limit: int) -> Standing:
        key, reset = self._window(kind, subject)
        return Standing(limit, self.counters.add(key, WINDOW_SECONDS + 1, every=max(1, limit // EXACTNESS)), reset)

    def _window(self, kind: str, subject: str) -> tuple[str, int]:
        """The counter's key (names are hashed: they are whatever an issuer allows), and the seconds until its end."""
        now = int(self.clock())
        digest = hashlib.sha256(subject.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return f"{kind}:{digest}:{now // WINDOW_SECONDS}", WINDOW_SECONDS - now % WINDOW_SECONDS


def _network(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 that an IPv6 host chooses its addresses from."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


# --- quotas

TRIES: Final = 5
PAUSE_SECONDS: Final = 0.02
RETRY_SECONDS: Final = 60
"""Room comes with a purge, whose time nobody knows: often enough for a program that waits."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What an owner has. Announced, stored and deleted assets count until they are purged, each with its own size."""

    assets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Quotas:
    """Bytes of originals and number of assets, an owner. 0 is no limit."""

    database: Database
    largest_bytes: int
    most_assets: int

    @classmethod
    def of(cls, database: Database, settings: Settings) -> Quotas:
        """As the settings have it."""
        return cls(database, settings.quota_bytes, settings.quota_assets)

    def usage(self, owner: str) -> Usage:
        """What the owner has now."""
        where = {"owner": owner}
        return Usage(self.database.assets.count(where), int(self.database.assets.total("size_bytes", where)))

    def check(self, owner: str, size_bytes: int) -> None:
        """LimitReached when one more asset of that size would be too much."""
        if self.largest_bytes or self.most_assets:
            used = self.usage(owner)
            self._judge(used, Usage(used.assets + 1, used.bytes + size_bytes), size_bytes)

    def admit(self, asset: Asset) -> None:
        """Insert an announced asset, unless it is too much.

        It is inserted first, then everything is summed: of several announcements at once, none can overlook another.
        When the sum is too large it is taken back; the others may have done the same, so it is tried again.
        """
        if not (self.largest_bytes or self.most_assets):
            self.database.assets.insert(asset)
            return
        for attempt in range(TRIES):
            self.check(asset.owner, asset.size_bytes)
            self.database.assets.insert(asset)
            used = self.usage(asset.owner)
            if self._fits(used):
                return
            self.database.assets.remove(asset.id, {"state": "created"})
            time.sleep(random.uniform(0, PAUSE_SECONDS * 2**attempt))  # noqa: S311 - so that they do not meet again
        before = Usage(used.assets - 1, used.bytes - asset.size_bytes)
        self._judge(before, used, asset.size_bytes)

    def _fits(self, used: Usage) -> bool:
        return not (
            (self.most_assets and used.assets > self.most_assets)
            or (self.largest_bytes and used.bytes > self.largest_bytes)
        )

    def _judge(self, before: Usage, after: Usage, asked: int) -> None:
        if self.most_assets and after.assets > self.most_assets:
            raise LimitReached(
                f"You have {before.assets} assets of at most {self.most_assets}; deleted ones count until they are"
                " purged. Purge one, or ask for more room.",
                code="limit.quota_assets",
                retry_after_seconds=RETRY_SECONDS,
                used=before.assets,
                limit=self.most_assets,
                asked=1,
            )
        if self.largest_bytes and after.bytes > self.largest_bytes:
            raise LimitReached(
                f"You have {before.bytes} bytes of at most {self.largest_bytes}, and asked for {asked} more; deleted"
                " assets count until they are purged. Purge some, or ask for more room.",
                code="limit.quota_bytes",
                retry_after_seconds=RETRY_SECONDS,
                used=before.bytes,
                limit=self.largest_bytes,
                asked=asked,
            )
