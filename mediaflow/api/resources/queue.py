"""The queue: how deep it is, paused and resumed."""

from __future__ import annotations

from typing import Any

from mediaflow.api.http.context import BASE, caller, runtime
from mediaflow.api.http.resource import Resource
from mediaflow.api.schemas.queue import PauseBody, QueueSchema, queue_document
from mediaflow.services.upkeep.depth import depth

blueprint = Resource("queue", __name__, url_prefix=f"{BASE}/queue", description="All work that waits; for admins.")


@blueprint.operation("GET", "", gives={200: QueueSchema}, admin=True)
def get_queue() -> dict[str, Any]:
    """How much work waits and runs.

    By stage and lane, with the age of the oldest that waits, and whether any is begun: who paused it, when and why.
    """
    return _document()


@blueprint.operation("POST", "/pause", takes=PauseBody, gives={200: QueueSchema}, admin=True)
def pause_queue(body: dict[str, Any]) -> dict[str, Any]:
    """Begin nothing new.

    No worker claims a task until `resume`, also one that starts later; what runs is done. Uploads are taken and wait.
    Repeating does no harm.
    """
    runtime().pausing.switch(paused=True, by=caller().user, reason=body.get("reason"))
    return _document()


@blueprint.operation("POST", "/resume", gives={200: QueueSchema}, admin=True)
def resume_queue() -> dict[str, Any]:
    """Go on.

    Workers begin within a second or two. Repeating does no harm.
    """
    runtime().pausing.switch(paused=False, by=caller().user)
    return _document()


def _document() -> dict[str, Any]:
    return queue_document(runtime().pausing.state(), depth(runtime().database))
