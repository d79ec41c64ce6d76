"""A whole mediaflow in one process, for tests of plugins: a file goes in, every stage runs, what was made comes out.

    from mediaflow.testing.service import service

    def test_a_checksum_lies_beside_the_video(tmp_path, clip):
        with service(tmp_path, plugins=["example"]) as s:
            asset = s.upload(clip, profile="example")
            assert s.drain(asset).state == "ready"
            (output,) = [output for output in s.outputs(asset) if output.kind == "file"]
            assert s.read(asset, output.path)

No server is started and no port opened: documents are in a SQLite file and objects in a directory below the one that is
given. Plugins are found as in production, by the entry points of installed distributions; steps run in their child
processes and in the sandbox.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Final

from mediaflow import registry
from mediaflow.domain import keys
from mediaflow.domain.errors import ConfigurationError, NotFound
from mediaflow.domain.publication import Output
from mediaflow.domain.records import Asset
from mediaflow.domain.states import Stage, WorkState
from mediaflow.plugin import AssetView, ServiceContext
from mediaflow.registry.loading import DISABLED_VARIABLE
from mediaflow.runtime import Runtime, build_runtime, make_metrics
from mediaflow.runtime.confining import check_sandbox
from mediaflow.services.access.principals import Principal
from mediaflow.services.assets.for_plugins import PluginContext
from mediaflow.services.local_run import LocalWakeups, ingest_file, work_until_ended

OWNER: Final = "author"
OURS: Final = "mediaflow"


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task of an asset's newest job as it ended. `error` is `{code, detail}`, None without one."""

    name: str
    stage: Stage
    step: str | None
    state: WorkState
    attempts: int
    error: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class LocalService:
    """What `service` gives."""

    runtime: Runtime
    wakeups: LocalWakeups

    def upload(self, path: Path, *, profile: str | None = None, owner: str = OWNER) -> str:
        """Send a file as a user does, through the plugins' `mediaflow_validate_upload`; the new asset's id.

        Raises InvalidInput with the problems when it is refused. Nothing is worked on until `drain`.
        """
        return ingest_file(self.runtime, self.wakeups, path, owner=owner, profile=profile)

    def drain(self, asset_id: str) -> AssetView:
        """Run every task of the asset's job to its end, those that wait for another attempt too; the asset then.

        A failure is no exception: its `state` is `failed` or `rejected`, and `tasks` tell why.
        """
        work_until_ended(self.runtime, self.wakeups, asset_id)
        return self.asset(asset_id)

    def asset(self, asset_id: str) -> AssetView:
        """The asset as plugins see it. NotFound when there is none."""
        return self.context().asset(asset_id)

    def tasks(self, asset_id: str) -> tuple[TaskView, ...]:
        """The tasks of its newest job, in the order of their making."""
        found = self.runtime.jobs.tasks(self._record(asset_id).job_id or "")
        return tuple(TaskView(t.name, t.stage, t.step, t.state, t.attempt, t.error) for t in found)

    def outputs(self, asset_id: str) -> Sequence[Output]:
        """What is published of it: manifests, pictures, files. Empty while nothing is."""
        published = self._record(asset_id).published
        return () if published is None else published.outputs

    def read(self, asset_id: str, path: str) -> bytes:
        """A file of the asset in the storage, by its output's path. NotFound when there is none."""
        return b"".join(self.runtime.storage.read(f"{keys.asset_prefix(asset_id)}{path}"))

    def context(self, plugin: str | None = None) -> ServiceContext:
        """What a blueprint or command of that plugin gets, asked by an admin."""
        context = self.runtime.plugins.context(plugin)
        return PluginContext(context, lambda: self.runtime.database, lambda: Principal(OWNER, "admin"))

    def _record(self, asset_id: str) -> Asset:
        found = self.runtime.database.assets.get(asset_id)
        if found is None:
            raise NotFound("There is no such asset.", code="asset.not_found")
        return found


@contextmanager
def service(directory: Path, *, plugins: Iterable[str] | None = None, **environ: str) -> Iterator[LocalService]:
    """A mediaflow that keeps everything in the directory, until the block ends.

    `plugins` are the entry points' names of those that are wanted beside the built-in ones (None: all that are
    installed); ConfigurationError when one is not installed. `environ` are settings, `MEDIAFLOW_...`; those of this
    process count too, except for where things are kept.
    """
    settings, loaded = registry.load(_environment(directory, plugins, environ))
    check_sandbox(settings)
    wakeups = LocalWakeups()
    runtime = build_runtime(settings, loaded, metrics=make_metrics(loaded), wakeups=wakeups)
    try:
        runtime.start()
        yield LocalService(runtime, wakeups)
    finally:
        runtime.close()


def _environment(directory: Path, plugins: Iterable[str] | None, environ: dict[str, str]) -> dict[str, str]:
    places = {"MEDIAFLOW_DATABASE_URL", "MEDIAFLOW_STORAGE_URL", "MEDIAFLOW_REDIS_URL", "MEDIAFLOW_WORK_DIR"}
    around = {name: value for name, value in os.environ.items() if name not in places}
    own = {"MEDIAFLOW_DATA_DIR": os.fspath(directory / "mediaflow"), "MEDIAFLOW_MIN_FREE_BYTES": "0"}
    return {**around, **own, **_choice(plugins, registry.installed()), **environ}


def _choice(plugins: Iterable[str] | None, installed: Iterable[EntryPoint]) -> dict[str, str]:
    if plugins is None:
        return {}
    others = {point.name for point in installed if point.dist is None or point.dist.name != OURS}
    wanted = set(plugins)
    if missing := wanted - others:
        raise ConfigurationError(
            f"no plugin {', '.join(map(repr, sorted(missing)))} is installed; install your package into the environment"
            " of the tests (pip install -e .)"
        )
    return {DISABLED_VARIABLE: ",".join(sorted(others - wanted))}
