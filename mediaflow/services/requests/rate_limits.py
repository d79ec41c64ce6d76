"""How often is too often: requests of a user, requests without a credential and refused credentials of an address.

The same limits hold for users and admins: an admin's stolen token must not be worth more.
"""

from __future__ import annotations

import hashlib
import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

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
    anonymous: int = 0
    pieces: int = 0
    clock: Callable[[], float] = time.time

    def request(self, user: str) -> Standing | None:
        """Count a request of that user; None when there is no limit."""
        return self._counted("user", user, self.requests) if self.requests else None

    def stranger(self, address: str) -> Standing | None:
        """Count a request without a credential of that address; None when there is no limit."""
        return self._counted("stranger", network_of(address), self.anonymous) if self.anonymous else None

    def piece(self, address: str) -> bool:
        """Count a piece that is made because a player of that address waits for it; False for one too many."""
        return not (self.pieces and self._counted("piece", network_of(address), self.pieces).exceeded)

    def refused(self, address: str, *, counts: bool) -> Standing | None:
        """Where an address stands whose credentials are refused, after this one if it `counts`; None: no limit."""
        if not self.failures:
            return None
        network = network_of(address)
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


def network_of(address: str) -> str:
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
