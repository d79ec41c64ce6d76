"""The actors: assemble, then probe -> validate -> plan -> step -> package -> publish.

A message says "look": the work is claimed from the documents, so duplicate, late and forged messages change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dramatiq
import structlog

from mediaflow.domain.errors import Unavailable
from mediaflow.domain.states import STAGES, Stage
from mediaflow.queue.broker import ASSEMBLE, QUEUE
from mediaflow.runtime import Runtime

_log = structlog.get_logger(__name__)


def declare_actors(broker: dramatiq.Broker, runtime: Runtime) -> None:
    """Declare every actor on the broker, over the runtime of this process."""
    for stage in STAGES:
        dramatiq.Actor(_looker(runtime, stage), **_declared(broker, stage))
    dramatiq.Actor(_assembler(runtime), **_declared(broker, ASSEMBLE))


def _declared(broker: dramatiq.Broker, name: str) -> dict[str, Any]:
    return {"broker": broker, "actor_name": name, "queue_name": QUEUE, "priority": 0, "options": {}}


def _looker(runtime: Runtime, stage: Stage) -> Callable[[str], None]:
    def look(task_id: str) -> None:
        """Run the best tasks that this process can carry, whether this one is among them or not."""
        _log.debug("looking", stage=stage, task_id=task_id)
        with _unless_away(stage, task_id):
            runtime.execution.work()

    return look


def _assembler(runtime: Runtime) -> Callable[[str], None]:
    def assemble(upload_id: str) -> None:
        """Take a completed upload on to its job; a worker that drains leaves it to others, who find it."""
        if runtime.draining.is_set():
            return
        with _unless_away(ASSEMBLE, upload_id):
            runtime.assembly.finish(upload_id)

    return assemble


@contextmanager
def _unless_away(actor: str, subject: str) -> Iterator[None]:
    """While a dependency is away a hint comes to nothing, which is no fault: the reconciler sends it again."""
    try:
        yield
    except Unavailable as error:
        _log.warning("work waits for a dependency", actor=actor, subject=subject, detail=error.detail)
