"""A world for services: a real SQLite file, a real local storage, the built-in plugins, hints kept in lists."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mediaflow import registry
from mediaflow.runtime import Runtime, build_runtime, make_metrics
from mediaflow.services.local_run import LocalWakeups


@dataclass
class World:
    """A runtime with its hints, and ways to build a second one over the same documents and objects."""

    runtime: Runtime
    wakeups: LocalWakeups


def make_world(directory: Path, **environ: str) -> World:
    settings, plugins = registry.load(
        {"MEDIAFLOW_DATA_DIR": str(directory), "MEDIAFLOW_MIN_FREE_BYTES": "0"}
        | {f"MEDIAFLOW_{name.upper()}": value for name, value in environ.items()}
    )
    wakeups = LocalWakeups()
    runtime = build_runtime(settings, plugins, metrics=make_metrics(plugins), wakeups=wakeups)
    return World(runtime, wakeups)
