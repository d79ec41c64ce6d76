"""Which hosts may be spoken with on behalf of somebody else (SSRF): addresses of the open internet, vetted once.

Who connects must connect to the address that was vetted, and to no name: a name can mean another address a moment later
(DNS rebinding).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final
from urllib.parse import urlsplit

from mediaflow.domain.errors import ConfigurationError, InvalidInput, Unavailable

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[..., Iterable[tuple[Any, ...]]]
"""As `socket.getaddrinfo`."""

LONGEST_URL: Final = 2000
PORTS: Final = {"http": 80, "https": 443}
LEAST_OTHER_PORT: Final = 1024
"""Below, besides those two, are services that might take a request for one of theirs (mail, printers)."""


def _closed(*lines: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for line in lines for text in line.split())


_OPEN_V6: Final = ip_network("2000::/3")
"""All that is given out of IPv6 (RFC 4291 section 2.4)."""
_CLOSED: Final = _closed(
    # the IANA's special-purpose registries; Python's own `is_global` knows other versions of them
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24",
    "192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3",
    # Azure's metadata and DNS have an address of the open internet
    "168.63.129.16/32",
    # Teredo, benchmarks, ORCHID; documentation
    "2001::/23 2001:db8::/32 3fff::/20",
)
_MAPPED: Final = ip_network("::ffff:0:0/96")
_NAT64: Final = ip_network("64:ff9b::/96")
_SIX_TO_FOUR: Final = ip_network("2002::/16")


@dataclass(frozen=True, slots=True)
class Reach:
    """A place to speak with: `host` and `port` are what was asked for (Host, SNI, certificate), `addresses` where it
    may be found, every one of them vetted.
    """

    scheme: str
    host: str
    port: int
    addresses: tuple[str, ...]


def networks_of(text: str, setting: str) -> tuple[Network, ...]:
    """The networks of a setting (`10.1.0.0/16, fd00::/8`). Raises ConfigurationError for what is none."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(ip_network(part))
        except ValueError as error:
            raise ConfigurationError(
                f"{setting}: {error}; write networks as 10.1.0.0/16, with commas between"
            ) from error
    return tuple(found)


def checked_url(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL that may be asked, by its looks alone. Raises InvalidInput with what is wrong."""
    if len(url) > LONGEST_URL:
        raise InvalidInput(f"must have at most {LONGEST_URL} characters, not {len(url)}")
    if not url.isascii() or any(character <= " " or character in '"<>\\^`{|}\x7f' for character in url):
        raise InvalidInput("must be a URL in ASCII without blanks; write others as %20, and names as xn--...")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidInput(f"must be a URL: {error}") from error
    if parts.scheme not in PORTS or not host:
        raise InvalidInput("must begin with https:// or http:// and a host")
    if "%" in host:
        raise InvalidInput("must have a host without %, of a network zone or a character")
    if "@" in parts.netloc:
        raise InvalidInput("must not hold a user name or password")
    if parts.fragment:
        raise InvalidInput("must have no fragment (#...)")
    port = PORTS[parts.scheme] if port is None else port
    if port not in PORTS.values() and port < LEAST_OTHER_PORT:
        raise InvalidInput(f"must have port 80, 443, or one from {LEAST_OTHER_PORT} on, not {port}")
    return parts.scheme, host, port


def refused(address: Address, allowed: Iterable[Network] = ()) -> bool:
    """True for an address that is not of the open internet, however it is written, nor in one of the `allowed`."""
    allowed = tuple(allowed)
    if _within(address, allowed):
        return False
    if isinstance(address, IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return refused(inner, allowed)
        if address.scope_id is not None or address not in _OPEN_V6:
            return True
    return _within(address, _CLOSED)


def reach(url: str, allowed: Iterable[Network] = (), resolve: Resolve = socket.getaddrinfo) -> Reach:
    """Where the URL's host is, looked up once. Raises InvalidInput (`url.refused`) when any of its addresses is refused
    or the URL is none to ask, Unavailable when nobody knows the name.
    """
    scheme, host, port = checked_url(url)
    try:
        found = resolve(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"the name {host!r:.100} is not known: {error}", code="url.unknown_host") from error
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    allowed = tuple(allowed)
    if not addresses or any(refused(ip_address(address), allowed) for address in addresses):
        raise InvalidInput(f"{host!r:.100} is not on the open internet, and not allowed here", code="url.refused")
    return Reach(scheme, host, port, addresses)


def _within(address: Address, closed: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in closed)


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that this one leads to, if it does."""
    number = int(address)
    if address in _MAPPED or address in _NAT64:
        return IPv4Address(number & 0xFFFFFFFF)
    return IPv4Address((number >> 80) & 0xFFFFFFFF) if address in _SIX_TO_FOUR else None
