"""Which workers are there: each says so again and again, and is forgotten when it no longer does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from redis import Redis

from mediaflow.persistence.redis.connection import NAMESPACE, RedisConnection

ALIVE_SECONDS: Final = 10.0
"""Since a worker last said so. One that is busy says so every second too."""
KEY: Final = f"{NAMESPACE}workers"
"""A sorted set: names, by the time on Redis' clock (clocks of hosts differ)."""


@dataclass(frozen=True, slots=True)
class AliveWorkers:
    """The workers of all hosts that share this Redis. Where it does not answer, or is none, nobody is known."""

    connection: RedisConnection | None

    def note(self, worker: str) -> None:
        """That worker is there."""

        def keep(client: Redis) -> None:
            now = _now(client)
            client.zadd(KEY, {worker: now})
            client.zremrangebyscore(KEY, "-inf", now - ALIVE_SECONDS)

        if self.connection is not None:
            self.connection.attempt(keep, None)

    def forget(self, worker: str) -> None:
        """That worker ends."""
        if self.connection is not None:
            self.connection.attempt(lambda client: client.zrem(KEY, worker), 0)

    def names(self) -> frozenset[str]:
        """Those that said so a moment ago."""

        def read(client: Redis) -> frozenset[str]:
            found = client.zrangebyscore(KEY, _now(client) - ALIVE_SECONDS, "+inf")
            return frozenset(name.decode() if isinstance(name, bytes) else str(name) for name in found)

        return frozenset() if self.connection is None else self.connection.attempt(read, frozenset())


def _now(client: Redis) -> float:
    seconds, microseconds = client.time()
    return float(seconds) + float(microseconds) / 1e6
