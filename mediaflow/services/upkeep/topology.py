"""Whether the backends fit together: what lies on one host can't be shared with workers on another."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from mediaflow.domain.errors import ConfigurationError


def check_topology(*, redis_url: str, database_url: str, storage_url: str, storage_is_shared: bool) -> None:
    """Raise ConfigurationError when documents or objects lie on this host and the queue is on another one.

    A queue on another host is there for processes on several hosts; each of them would have a SQLite file or a
    directory of its own, and uploads of one would be unknown to the next. An empty `redis_url` is a private queue.
    """
    if not redis_url or is_this_host(redis_url):
        return
    where = urlsplit(redis_url).hostname
    if database_url.startswith("sqlite:"):
        raise ConfigurationError(
            f"the queue is on another host ({where}), but the documents are in a SQLite file, seen here only; "
            "set MEDIAFLOW_DATABASE_URL to a MongoDB (mongodb://host:27017/mediaflow), or use a Redis on this host"
        )
    if not storage_is_shared:
        raise ConfigurationError(
            f"the queue is on another host ({where}), but the objects are at {storage_url.partition(':')[0]}:, "
            "which only this host sees; set MEDIAFLOW_STORAGE_URL to a shared storage (s3:https://host/bucket), "
            "or use a Redis on this host"
        )


def is_this_host(url: str) -> bool:
    """True when the URL's host is this machine: a Unix socket, loopback, or an address of one of its interfaces."""
    parts = urlsplit(url)
    if parts.scheme == "unix" or not parts.hostname:
        return True
    try:
        found = socket.getaddrinfo(parts.hostname, None, type=socket.SOCK_DGRAM)
    except OSError:
        return False  # a name that nobody knows; connecting will say so better than we can
    return all(_is_ours(family, address) for family, _, _, _, address in found)


def _is_ours(family: int, address: tuple[object, ...]) -> bool:
    """Only an address of this machine can be bound; nothing is sent."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address[0], 0))
        except OSError:
            return False
    return True
