"""Hints to workers, as Dramatiq messages that carry an id and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import dramatiq
import structlog
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import BrokerConnectionError
from redis.exceptions import RedisError

from mediaflow.domain.errors import Unavailable
from mediaflow.domain.states import Stage
from mediaflow.queue.broker import ASSEMBLE, QUEUE
from mediaflow.services.ports import Metrics

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DramatiqWakeups:
    """Implements `services.ports.Wakeups`."""

    broker: RedisBroker
    metrics: Metrics

    def wake(self, stage: Stage, task_id: str) -> None:
        """Hint that the task can be claimed."""
        self._send(stage, task_id)

    def wake_assembly(self, upload_id: str) -> None:
        """Hint that the upload can be assembled."""
        self._send(ASSEMBLE, upload_id)

    def ping(self) -> None:
        """Return when Redis answers, raise Unavailable when it does not."""
        try:
            self.broker.client.ping()
        except RedisError as error:
            raise Unavailable("Redis does not answer.", code="queue.unavailable") from error

    def close(self) -> None:
        """Give the connections back."""
        self.broker.close()
        self.broker.client.close()

    def _send(self, actor: str, subject: str) -> None:
        hint: dramatiq.Message[None] = dramatiq.Message(QUEUE, actor, (subject,), {}, {})
        try:
            self.broker.enqueue(hint)
        except (RedisError, BrokerConnectionError) as error:
            # the documents are the outbox: the reconciler sends the hint again
            _log.warning("hint not sent", actor=actor, subject=subject, reason=type(error).__name__)
            self.metrics.count("mediaflow_hints_failed_total", actor=actor)
