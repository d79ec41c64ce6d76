"""A world for services: a real SQLite file, a real local storage, the built-in plugins, hints kept in lists."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path

from mediaflow import registry
from mediaflow.domain.events import Event
from mediaflow.plugin.metrics import Uncounted
from mediaflow.runtime import Runtime, build_runtime, make_metrics
from mediaflow.services.assets.editing import Editing
from mediaflow.services.assets.trash import Trash
from mediaflow.services.events.relay import Relay
from mediaflow.services.local_run import LocalWakeups
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.ports import Database, Listeners
from mediaflow.services.uploads.ingest import Ingest
from mediaflow_local.storage import LocalStorage


@dataclass
class World:
    """A runtime with its hints, and ways to build a second one over the same documents and objects."""

    runtime: Runtime
    wakeups: LocalWakeups


def installed() -> tuple[EntryPoint, ...]:
    """The plugins of this environment, looked for once: that is most of what a world costs, and hundreds are made."""
    return _installed(tuple(sys.path))


@cache
def _installed(_path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Those that are found along the path, which tests with a plugin of their own make longer."""
    return tuple(registry.installed())


def make_world(directory: Path, **environ: str) -> World:
    settings, plugins = registry.load(
        {"MEDIAFLOW_DATA_DIR": str(directory), "MEDIAFLOW_MIN_FREE_BYTES": "0"}
        | {f"MEDIAFLOW_{name.upper()}": value for name, value in environ.items()},
        installed,
    )
    wakeups = LocalWakeups()
    runtime = build_runtime(settings, plugins, metrics=make_metrics(plugins), wakeups=wakeups)
    return World(runtime, wakeups)


@dataclass
class Heard:
    """A listener that remembers."""

    events: list[Event] = field(default_factory=list)

    def publish_event(self, event: Event) -> None:
        self.events.append(event)


def a_relay(database: Database, listener: Listeners | None = None) -> Relay:
    """What tells the events of these documents, to nobody but the listener."""
    return Relay(database, listener or Heard(), Uncounted())


def editing_of(database: Database) -> Editing:
    """Editing of these documents, for tests that don't listen."""
    return Editing(database, a_relay(database))


def a_trash(database: Database, directory: Path) -> Trash:
    """The trash over these documents, for tests that need little else."""
    settings, plugins = registry.load({}, installed)
    metrics, wakeups, storage = make_metrics(plugins), LocalWakeups(), LocalStorage(directory)
    relay = a_relay(database)
    jobs = Jobs(database, relay, wakeups, metrics)
    ingest = Ingest(database, storage, storage, plugins, relay, wakeups, metrics, settings)
    return Trash(database, jobs, ingest, relay, settings.trash_seconds)
