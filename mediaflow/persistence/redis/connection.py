"""A connection to Redis whose failures are nobody's: a command that can't be done gives the answer for that case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from mediaflow.domain.errors import ConfigurationError
from mediaflow.persistence.rest import Rest

_log = structlog.get_logger(__name__)
T = TypeVar("T")

CONNECT_SECONDS: Final = 0.25
ANSWER_SECONDS: Final = 0.25
"""A cache that is slower than this is no cache; a request waits for it once and not again while it rests."""
REST_SECONDS: Final = 2.0
"""After a failure nothing is asked for so long; then one thread tries."""
NAMESPACE: Final = "mediaflow:"
"""Before every key: the queue may live in the same database."""


@dataclass(slots=True)
class RedisConnection:
    """Redis, used through `attempt` and its short forms, which never raise what Redis or the network do.

    It connects at the first command and in each process anew (redis-py's pool looks at the process id, so a fork before
    or after that does no harm). Safe for threads.
    """

    client: Redis
    rest: Rest = field(default_factory=lambda: Rest(REST_SECONDS))

    def attempt(self, command: Callable[[Redis], T], otherwise: T) -> T:
        """What the command answers, or `otherwise` when Redis does not answer (or did not a moment ago)."""
        if not self.rest.may_try():
            return otherwise
        try:
            answer = command(self.client)
        except (RedisError, OSError) as error:
            if self.rest.failed():
                _log.warning("redis does not answer, going on without", reason=type(error).__name__)
            return otherwise
        if self.rest.worked():
            _log.info("redis answers again")
        return answer

    def get(self, key: str) -> bytes | None:
        """The value, or None when there is none or nobody answers."""
        value = self.attempt(lambda client: client.get(NAMESPACE + key), None)
        return value.encode() if isinstance(value, str) else value

    def set(self, key: str, value: bytes, seconds: int) -> bool:
        """Keep a value for so long; True when it is kept."""
        return self.attempt(lambda client: bool(client.set(NAMESPACE + key, value, ex=seconds)), otherwise=False)

    def delete(self, *keys: str) -> bool:
        """Forget values; True when Redis has heard it."""
        return self.attempt(lambda client: client.delete(*(NAMESPACE + key for key in keys)) >= 0, otherwise=False)

    def ping(self) -> bool:
        """True when Redis answers now; asks even while it rests."""
        try:
            return bool(self.client.ping())
        except (RedisError, OSError):
            return False

    def close(self) -> None:
        """Give the connections back."""
        self.client.close()


def open_redis(url: str) -> RedisConnection | None:
    """The connection of that URL, None for an empty one. Nothing is connected yet.

    No retries: redis-py's own (three, with pauses up to 10 s) would hold every request while Redis is away.
    """
    if not url:
        return None
    try:
        client = Redis.from_url(
            url,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError as error:
        raise ConfigurationError(f"MEDIAFLOW_REDIS_URL is no Redis URL (redis://host:port/0): {error}") from error
    return RedisConnection(client)
