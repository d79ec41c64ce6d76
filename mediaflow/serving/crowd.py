"""Who is connected, and how much of the house one address may take."""

from __future__ import annotations

import ipaddress
from collections import Counter
from typing import Final

from mediaflow.serving.connection import Connection, Phase
from mediaflow.serving.limits import PROBES, Limits

GUESTS: Final = 256
"""So many refused connections at once are told why; more are closed without a word."""
_ORDER: Final = (Phase.LINGERING, Phase.IDLE, Phase.ARRIVING, Phase.PAUSED, Phase.SENDING)
"""In which connections are given up when there are too many."""


class Crowd:
    """All connections of a process, each counted for an address.

    Without proxies a connection counts for its peer from its beginning to its end. Behind proxies, whose connections
    are everybody's, each request counts for the address that the outermost trusted proxy saw.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._members: dict[Connection, None] = {}
        self._held: Counter[str] = Counter()
        self._guests: set[Connection] = set()

    @property
    def welcomes_guests(self) -> bool:
        return len(self._guests) <= GUESTS

    @property
    def is_too_large(self) -> bool:
        return len(self._members) > self._limits.connections

    def members(self) -> list[Connection]:
        return list(self._members)

    def joins(self, conn: Connection) -> bool:
        """A new connection; False when its address has too many."""
        self._members[conn] = None
        if self._limits.proxies or self._takes(conn, conn.address):
            return True
        self._guests.add(conn)
        return False

    def may_ask(self, conn: Connection) -> bool:
        """A request's head is there; False when its address has too many requests under way."""
        if not self._limits.proxies or conn.arriving.path in PROBES:
            return True
        members = conn.arriving.forwarded_for
        hops = self._limits.proxies
        return self._takes(conn, members[-hops] if len(members) >= hops else conn.address)

    def answered(self, conn: Connection) -> None:
        """Its request is done."""
        if self._limits.proxies:
            self._gives_back(conn)

    def leaves(self, conn: Connection) -> None:
        """It is closed."""
        if conn in self._members:
            del self._members[conn]
            self._guests.discard(conn)
            self._gives_back(conn)

    def least_missed(self) -> Connection | None:
        """The connection that is given up first when there are too many; None while threads work on all of them."""
        waiting = [conn for conn in self._members if conn.phase in _ORDER]
        return min(waiting, key=lambda conn: (_ORDER.index(conn.phase), conn.until), default=None)

    def _takes(self, conn: Connection, address: str) -> bool:
        name = network(address)
        if name and 0 < self._limits.connections_per_address <= self._held[name]:
            return False
        self._held[name] += 1
        conn.holder = name
        return True

    def _gives_back(self, conn: Connection) -> None:
        if conn.holder:
            self._held[conn.holder] -= 1
            if self._held[conn.holder] <= 0:
                del self._held[conn.holder]
        conn.holder = ""


def network(address: str) -> str:
    """What one client is taken to have: an IPv4 address, or 64 bits of IPv6. What is no address stays as it is."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
    return str(parsed)
