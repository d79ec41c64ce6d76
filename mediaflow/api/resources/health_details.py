"""How the service is, with figures: for admins and their monitoring. Strangers have `/livez` and `/readyz`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from time import monotonic
from typing import Any, Final

from marshmallow import Schema, fields

from mediaflow.api.http.context import BASE, runtime, web
from mediaflow.api.http.readiness import Answer
from mediaflow.api.http.resource import Resource
from mediaflow.domain.errors import MediaflowError
from mediaflow.services.upkeep.health import (
    SLOW_SECONDS,
    STATES,
    Disk,
    State,
    disks,
    linked_originals,
    memory,
    work,
    worst,
)

blueprint = Resource("health_details", __name__, url_prefix=f"{BASE}/health", description="How the service is.")

_STATE: Final = {"enum": list(STATES), "examples": ["ok"]}


class DependencySchema(Schema):
    """Something that this service needs."""

    name = fields.String(required=True, metadata={"examples": ["database"]})
    state = fields.String(required=True, metadata=_STATE)
    latency_ms = fields.Float(required=True, metadata={"description": "How long its answer took.", "minimum": 0})
    detail = fields.String(required=True, metadata={"description": "What is wrong; empty when nothing is."})


class DiskSchema(Schema):
    """A file system. `data`: the data directory; `objects`: stored objects, when they are files of this host."""

    kind = fields.String(required=True, metadata={"enum": ["data", "objects"]})
    free_bytes = fields.Integer(required=True)
    total_bytes = fields.Integer(required=True)
    state = fields.String(required=True, metadata=_STATE)


class MemorySchema(Schema):
    """Memory, null where the system does not tell."""

    process_bytes = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Resident memory of the web process that answered."}
    )
    available_bytes = fields.Integer(required=True, allow_none=True, metadata={"description": "Free on its machine."})
    total_bytes = fields.Integer(required=True, allow_none=True)


class WorkSchema(Schema):
    """The tasks of all workers."""

    workers = fields.Integer(required=True, metadata={"description": "Worker processes that are there, idle or not."})
    running_tasks = fields.Integer(required=True)
    pending_tasks = fields.Integer(required=True, metadata={"description": "Tasks that could begin, and wait."})
    oldest_pending_seconds = fields.Float(
        required=True, allow_none=True, metadata={"description": "How long the oldest of them has been there."}
    )
    paused = fields.Boolean(required=True, metadata={"description": "An admin paused the queue: nothing is begun."})


class OriginalsSchema(Schema):
    """Originals that stay where they were found."""

    linked = fields.Integer(required=True)
    gone = fields.Integer(required=True, metadata={"description": "Not there any more as they were."})
    state = fields.String(required=True, metadata=_STATE)


class HealthDetailsSchema(Schema):
    """How the service is: `state` is the worst of what is below."""

    state = fields.String(required=True, metadata=_STATE)
    version = fields.String(required=True, metadata={"examples": ["0.1.0"]})
    uptime_seconds = fields.Float(required=True, metadata={"description": "Of the web process that answered."})
    dependencies = fields.List(fields.Nested(DependencySchema), required=True)
    disks = fields.List(fields.Nested(DiskSchema), required=True)
    memory = fields.Nested(MemorySchema, required=True)
    work = fields.Nested(
        WorkSchema, required=True, allow_none=True, metadata={"description": "Null while the database does not answer."}
    )
    originals = fields.Nested(
        OriginalsSchema, required=True, allow_none=True, metadata={"description": "null as `work` is."}
    )


@blueprint.operation("GET", "", gives={200: HealthDetailsSchema}, admin=True)
def get_health() -> dict[str, Any]:
    """How the service is.

    The status is 200 whatever the body says, as long as it can be told.
    """
    dependencies = [_dependency(answer) for answer in web().readiness.answers()]
    spaces = _disks(dependencies)
    originals = _asked(dependencies, lambda: linked_originals(runtime().database))
    states = [*(entry["state"] for entry in dependencies), *(disk.state for disk in spaces)]
    return {
        "state": worst([*states, *([originals["state"]] if originals else [])]),
        "version": version("mediaflow"),
        "uptime_seconds": round(monotonic() - web().started, 1),
        "dependencies": dependencies,
        "disks": [asdict(disk) for disk in spaces],
        "memory": asdict(memory()),
        "work": _asked(dependencies, lambda: work(runtime().database, runtime().alive.names())),
        "originals": originals,
    }


def _dependency(answer: Answer) -> dict[str, Any]:
    state: State = "critical"
    detail = answer.reason
    if answer.works:
        slow = answer.seconds > SLOW_SECONDS
        state, detail = ("warning", "It answers slowly.") if slow else ("ok", "")
    return {"name": answer.name, "state": state, "latency_ms": round(answer.seconds * 1000, 2), "detail": detail}


def _disks(dependencies: list[dict[str, Any]]) -> list[Disk]:
    """The disks; one that can't be asked makes the storage critical instead of the answer fail."""
    try:
        return disks(runtime().settings, runtime().storage)
    except (MediaflowError, OSError):
        dependencies.append(
            {"name": "disk", "state": "critical", "latency_ms": 0.0, "detail": "Its free space can't be told."}
        )
        return []


def _asked(dependencies: list[dict[str, Any]], ask: Callable[[], Any]) -> dict[str, Any] | None:
    """Not asked of a database that has just not answered: the report must not hang with it."""
    if any(entry["name"] == "database" and entry["state"] == "critical" for entry in dependencies):
        return None
    try:
        return asdict(ask())
    except MediaflowError:
        return None
