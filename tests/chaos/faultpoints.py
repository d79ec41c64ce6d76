"""Named places at which a process of a chaos run dies or stops. The production code holds nothing of it.

A point is a method of ours that is looked up at each call, and whether the fault comes before or after it. In a
chaos run this file is a plugin: it is copied beside an entry point onto PYTHONPATH (`plugged_in`), and at the start of
a web or worker process it wraps the methods. Elsewhere they are what they are: that is what a point costs in
production.

`arm` makes a file; whichever process comes first to the point takes it away, and so dies of it alone.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from mediaflow.plugin import MediaContext, hookimpl

DIRECTORY_VARIABLE: Final = "CHAOS_DIRECTORY"
NAME: Final = "mediaflow_chaos"
Action = Literal["kill", "stop"]
Role = Literal["web", "worker"]
SIGNALS: Final[Mapping[str, int]] = MappingProxyType({"kill": signal.SIGKILL, "stop": signal.SIGSTOP})
_UPLOADS: Final = "mediaflow.services.uploads."
_PIPELINE: Final = "mediaflow.services.pipeline."


@dataclass(frozen=True, slots=True)
class Point:
    """Before or after a method, `module:Class.method`, in processes of that role."""

    method: str
    when: Literal["before", "after"]
    role: Role = "worker"

    def owner(self) -> tuple[type[Any], str]:
        """The class and the method's name; AttributeError when there is no such method."""
        module, _, qualified = self.method.partition(":")
        class_name, _, name = qualified.partition(".")
        owner: type[Any] = getattr(importlib.import_module(module), class_name)
        if not callable(owner.__dict__.get(name)):
            raise AttributeError(f"{self.method}: there is no such method (any more)")
        return owner, name


POINTS: Final[Mapping[str, Point]] = MappingProxyType(
    {
        "upload.parts_begun": Point(f"{_UPLOADS}quotas:Quotas.admit", "before", "web"),
        "upload.asset_made": Point(f"{_UPLOADS}quotas:Quotas.admit", "after", "web"),
        "upload.announced": Point(f"{_UPLOADS}ingest:Ingest.announce", "after", "web"),
        "answer.before_kept": Point("mediaflow.services.requests.idempotency:Idempotency.finish", "before", "web"),
        "answer.kept": Point("mediaflow.services.requests.idempotency:Idempotency.finish", "after", "web"),
        "chunk.claimed": Point(f"{_UPLOADS}chunks:ChunkWriter._claim", "after", "web"),
        "chunk.written": Point(f"{_UPLOADS}chunks:ChunkWriter._record", "before", "web"),
        "chunk.recorded": Point(f"{_UPLOADS}chunks:ChunkWriter._record", "after", "web"),
        "upload.before_complete": Point(f"{_UPLOADS}ingest:Ingest.complete", "before", "web"),
        "upload.completed": Point(f"{_UPLOADS}ingest:Ingest.complete", "after", "web"),
        "trash.deleted": Point("mediaflow.services.assets.trash:Trash.delete", "after", "web"),
        "assembly.claimed": Point(f"{_UPLOADS}assembly:Assembly._assemble", "before"),
        "assembly.joined": Point(f"{_UPLOADS}assembly:Assembly._complete_parts", "after"),
        "assembly.hashed": Point(f"{_UPLOADS}assembly:Assembly._hash", "after"),
        "blob.linked": Point(f"{_UPLOADS}blobs:Blobs.link", "after"),
        "assembly.in_place": Point(f"{_UPLOADS}assembly:Assembly._assemble", "after"),
        "assembly.stored": Point(f"{_UPLOADS}assembly:Assembly._queue", "before"),
        "assembly.queued": Point(f"{_UPLOADS}assembly:Assembly._queue", "after"),
        "job.added": Point(f"{_PIPELINE}jobs:Jobs.add", "after"),
        "job.taken": Point(f"{_PIPELINE}tenure:Tenure._take", "after"),
        "job.first_tasks": Point(f"{_PIPELINE}jobs:Jobs._add_first", "after"),
        "job.before_steps": Point(f"{_PIPELINE}jobs:Jobs.add_steps", "before"),
        "job.steps_added": Point(f"{_PIPELINE}jobs:Jobs.add_steps", "after"),
        "job.advanced": Point(f"{_PIPELINE}jobs:Jobs.advance", "before"),
        "job.before_end": Point(f"{_PIPELINE}jobs:Jobs.end", "before"),
        "job.ended": Point(f"{_PIPELINE}jobs:Jobs.cancel_tasks", "before"),
        "task.before_claim": Point(f"{_PIPELINE}claims:Claims._claim", "before"),
        "task.claimed": Point(f"{_PIPELINE}claims:Claims._claim", "after"),
        "step.before_keep": Point(f"{_PIPELINE}keeping:Keeping._keep", "before"),
        "step.kept": Point(f"{_PIPELINE}keeping:Keeping._keep", "after"),
        "asset.before_open": Point(f"{_PIPELINE}opening:Opening._opened", "before"),
        "asset.opened": Point(f"{_PIPELINE}opening:Opening._opened", "after"),
        "demand.begun": Point("mediaflow.services.delivery.demand:Demand._begin", "after", "web"),
        "step.made": Point(f"{_PIPELINE}stepping:Stepping._measured", "after"),
        "task.before_done": Point(f"{_PIPELINE}execution:Execution._end", "before"),
        "task.done": Point(f"{_PIPELINE}execution:Execution._end", "after"),
        "package.written": Point(f"{_PIPELINE}rendering:Rendering.write", "after"),
        "package.verified": Point(f"{_PIPELINE}publishing:Publishing._verify_stored", "after"),
        "publish.before_cas": Point(f"{_PIPELINE}publishing:Publishing._published", "before"),
        "publish.after_cas": Point(f"{_PIPELINE}publishing:Publishing._published", "after"),
        "relay.before_told": Point("mediaflow.services.events.relay:Relay._told", "before"),
        "relay.before_cleared": Point("mediaflow.services.events.relay:Relay._cleared", "before"),
        "purge.objects": Point("mediaflow.services.assets.purge:Purge._objects", "after"),
        "purge.unlinked": Point(f"{_UPLOADS}blobs:Blobs.unlink", "after"),
        "purge.upload": Point("mediaflow.services.assets.purge:Purge._upload", "after"),
        "purge.work": Point("mediaflow.services.assets.purge:Purge._work", "after"),
        "purge.buried": Point("mediaflow.services.assets.purge:Purge._bury", "after"),
    }
)


TUNED: Final[Mapping[str, Any]] = MappingProxyType(
    {
        f"{_PIPELINE}parts:PART_SECONDS": 0.55,
        "mediaflow.services.delivery.demand:AHEAD": (2, 4),
        "mediaflow.services.upkeep.eviction:GRACE_SECONDS": 20.0,
    }
)
"""So that films of half a minute are made in parts and pieces, and what is evicted goes while somebody looks."""


@hookimpl
def mediaflow_startup(context: MediaContext) -> None:
    """Wrap the methods of all points in this process, and set what is tuned."""
    del context
    directory = Path(os.environ[DIRECTORY_VARIABLE])
    for place, value in TUNED.items():
        module, _, constant = place.partition(":")
        setattr(importlib.import_module(module), constant, value)
    for name, point in POINTS.items():
        owner, method = point.owner()
        setattr(owner, method, _wrapped(getattr(owner, method), name, point, directory))


def _wrapped(method: Callable[..., Any], name: str, point: Point, directory: Path) -> Callable[..., Any]:
    @functools.wraps(method)
    def with_point(*arguments: Any, **named: Any) -> Any:
        if point.when == "before":
            _reach(name, directory)
        answer = method(*arguments, **named)
        if point.when == "after":
            _reach(name, directory)
        return answer

    return with_point


def _reach(name: str, directory: Path) -> None:
    # one that stood still may come to the same point again
    fired = directory / "fired" / f"{name}.{os.getpid()}.{time.monotonic_ns()}"
    try:
        (directory / "armed" / name).rename(fired)
    except FileNotFoundError:
        return
    os.kill(os.getpid(), SIGNALS[fired.read_text()])


# --- for who runs it


def plugged_in(directory: Path) -> dict[str, str]:
    """Put the plugin into `directory`; the environment of a service that is to have the points."""
    for name in ("armed", "fired", f"{NAME}-1.dist-info"):
        (directory / name).mkdir(parents=True)
    (directory / f"{NAME}.py").write_text(Path(__file__).read_text())
    about = directory / f"{NAME}-1.dist-info"
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[mediaflow]\nchaos = {NAME}\n")
    path = [str(directory), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {DIRECTORY_VARIABLE: str(directory), "PYTHONPATH": os.pathsep.join(path)}


def arm(directory: Path, name: str, action: Action) -> None:
    """Have the next process that comes to the point killed or stopped."""
    new = directory / f"{name}.new"
    new.write_text(action)
    new.rename(directory / "armed" / name)


def disarm(directory: Path, name: str) -> bool:
    """Take the fault back; False when a process has come to it."""
    try:
        (directory / "armed" / name).unlink()
    except FileNotFoundError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Visit:
    """A process came to a point. `at_ns` is of the monotonic clock."""

    name: str
    pid: int
    at_ns: int
    action: str


def fired(directory: Path) -> list[Visit]:
    """The points that processes came to, oldest first."""
    told = ((path.name.rsplit(".", 2), path.read_text()) for path in (directory / "fired").iterdir())
    found = (Visit(name, int(pid), int(at_ns), action) for (name, pid, at_ns), action in told)
    return sorted(found, key=lambda visit: visit.at_ns)
