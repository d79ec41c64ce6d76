"""What a web process takes on, from the settings and from what the system lets it open."""

from __future__ import annotations

import resource
from dataclasses import dataclass, replace
from typing import Final

from mediaflow.settings import Settings

PROBES: Final = (b"/livez", b"/readyz")
"""Each has a thread of its own, and no limit: they are answered however busy the others are."""
STALL_SECONDS: Final = 30.0
"""A client that reads less than the least rate over so long is given up."""
_OWN_DESCRIPTORS: Final = 128
_DESCRIPTORS_OF_A_THREAD: Final = 4
"""The database's file and its log, the object that is being written, its directory."""
_DESCRIPTORS_OF_A_CONNECTION: Final = 2
"""Its socket, and the file that is being sent."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a web process. `proxies`: how many stand before us. `connections_per_address` 0: any number.

    `request_seconds` is for a head and a small body together; `discarded_bytes` is how much is still read of a request
    after its answer, `stall_seconds` how long a reader may be slower than the least rate.
    """

    connections: int
    connections_per_address: int
    request_seconds: int
    least_bytes_per_second: int
    discarded_bytes: int
    stall_seconds: float
    threads: int
    proxies: int


def limits_of(settings: Settings) -> Limits:
    """As the settings have it."""
    return Limits(
        connections=settings.web_connections,
        connections_per_address=settings.web_connections_per_address,
        request_seconds=settings.request_seconds,
        least_bytes_per_second=settings.least_bytes_per_second,
        discarded_bytes=settings.max_chunk_bytes,
        stall_seconds=STALL_SECONDS,
        threads=settings.web_threads,
        proxies=settings.trusted_proxies,
    )


def raise_descriptors() -> None:
    """Let this process and its children open as many files as it may let itself."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def descriptors() -> int:
    """How many files this process may open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def fitting(limits: Limits, descriptors: int) -> tuple[Limits, str]:
    """The limits that these file descriptors allow, and a sentence when that is less; else an empty one."""
    if descriptors == resource.RLIM_INFINITY:
        return limits, ""
    free = descriptors - _OWN_DESCRIPTORS - _DESCRIPTORS_OF_A_THREAD * limits.threads
    connections = max(1, free // _DESCRIPTORS_OF_A_CONNECTION)
    if connections >= limits.connections:
        return limits, ""
    needed = descriptors + (limits.connections - connections) * _DESCRIPTORS_OF_A_CONNECTION
    sentence = (
        f"a process may open {descriptors} files here, which is enough for {connections} connections and not for the"
        f" {limits.connections} of MEDIAFLOW_WEB_CONNECTIONS: raise the limit of open files (ulimit -Hn,"
        f" LimitNOFILE=) to {needed}, or set fewer connections"
    )
    return replace(limits, connections=connections), sentence
