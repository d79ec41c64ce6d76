"""The one composition root: builds every service over the configured backends, for every process."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mediaflow.domain.errors import ConfigurationError
from mediaflow.domain.states import Stage
from mediaflow.observability.metrics import PrometheusMetrics
from mediaflow.persistence import open_database
from mediaflow.plugin import ProcessRunner, ReceivesParts, Storage
from mediaflow.plugin.sandbox import SandboxedRunner
from mediaflow.registry import Registry
from mediaflow.services.access import LoginCodes, Sessions, StreamTokens, Tokens, load_or_create_key
from mediaflow.services.assembly import Assembly
from mediaflow.services.claims import Claims, LoadGate
from mediaflow.services.delivery import Delivery
from mediaflow.services.editing import Editing
from mediaflow.services.execution import Execution, StageHandler
from mediaflow.services.ingest import Ingest
from mediaflow.services.jobs import Jobs
from mediaflow.services.library import Library
from mediaflow.services.listing import Listing
from mediaflow.services.planning import Planning
from mediaflow.services.ports import Database, Metrics, Wakeups
from mediaflow.services.publishing import Publishing
from mediaflow.services.reconcile import Reconciler
from mediaflow.services.sources import Sources
from mediaflow.services.stepping import Stepping
from mediaflow.services.stepprocess import ChildSteps
from mediaflow.services.taskdocs import TaskDocuments
from mediaflow.services.topology import check_topology
from mediaflow.services.trash import Trash
from mediaflow.services.workdir import WorkDirectory
from mediaflow.settings import Settings


@dataclass(slots=True)
class Runtime:
    """Everything that a process needs, built once. `start` before use, `stop` to interrupt work, `close` at the end."""

    settings: Settings
    plugins: Registry
    database: Database
    storage: Storage
    metrics: Metrics
    wakeups: Wakeups
    tokens: Tokens
    login_codes: LoginCodes
    sessions: Sessions
    stream_tokens: StreamTokens
    ingest: Ingest
    jobs: Jobs
    assembly: Assembly
    library: Library
    listing: Listing
    editing: Editing
    trash: Trash
    delivery: Delivery
    planning: Planning
    execution: Execution
    reconciler: Reconciler
    gate: LoadGate
    work: WorkDirectory
    stopped: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Tell plugins that the process begins."""
        self.plugins.startup()

    def stop(self) -> None:
        """Ask running tasks to end; they are given back."""
        self.stopped.set()

    def close(self) -> None:
        """Give everything back."""
        self.stopped.set()
        self.plugins.shutdown()
        self.work.close()
        self.database.close()


def database_url(settings: Settings) -> str:
    """The effective database URL: a SQLite file in the data directory by default."""
    return settings.database_url or f"sqlite:{settings.data_path / 'mediaflow.db'}"


def storage_url(settings: Settings) -> str:
    """The effective storage URL: a directory in the data directory by default."""
    return settings.storage_url or f"local:{settings.data_path / 'objects'}"


def work_root(settings: Settings) -> Path:
    """Where running tasks have their directories."""
    return Path(settings.work_dir).absolute() if settings.work_dir else settings.data_path / "work"


def worker_units(settings: Settings) -> int:
    """Load units of one worker process: this machine's cores, shared between the processes."""
    cores = len(os.sched_getaffinity(0))
    return settings.worker_load or max(1, cores // max(1, settings.worker_processes))


def make_metrics(plugins: Registry) -> PrometheusMetrics:
    """The process's metrics, the plugins' among them."""
    return PrometheusMetrics(plugins.metric_specs)


def _runners(settings: Settings) -> Callable[[Callable[[], str | None]], ProcessRunner]:
    sandbox: Literal["bwrap", "off"] = "off" if settings.sandbox == "off" else "bwrap"
    return lambda stop: SandboxedRunner(sandbox, stop)


def build_runtime(settings: Settings, plugins: Registry, *, metrics: Metrics, wakeups: Wakeups) -> Runtime:
    """Wire every service. Nothing connects and nothing runs yet, except that a missing key file is made."""
    settings.data_path.mkdir(parents=True, exist_ok=True, mode=0o700)
    plugins.use_metrics(metrics)
    key = load_or_create_key(settings)
    database = open_database(database_url(settings))
    storage = plugins.open_storage(storage_url(settings), settings)
    check_topology(
        redis_url=settings.redis_url,
        database_url=database_url(settings),
        storage_url=storage_url(settings),
        storage_is_shared=plugins.storage_scheme(storage_url(settings)).shared,
    )
    if not isinstance(storage, ReceivesParts):
        raise ConfigurationError(f"The storage {settings.storage_url.split(':')[0]!r} can't receive uploads in parts.")
    gate, stopped = LoadGate(worker_units(settings)), threading.Event()
    work = WorkDirectory(work_root(settings))
    jobs = Jobs(database, plugins, wakeups, metrics)
    ingest = Ingest(database, storage, storage, plugins, wakeups, metrics, settings)
    assembly = Assembly(database, storage, storage, plugins, jobs, metrics)
    documents = TaskDocuments(database)
    sources = Sources(storage, work_root(settings).parent / "cache", settings.source_cache_bytes)
    planning = Planning(database, documents, sources, plugins, jobs, _runners(settings), settings)
    stepping = Stepping(documents, storage, sources, ChildSteps(settings, plugins), metrics, work)
    publishing = Publishing(database, documents, storage, plugins, jobs, metrics)
    handlers: dict[Stage, StageHandler] = {
        "probe": planning.probe,
        "validate": planning.validate,
        "plan": planning.plan,
        "step": stepping.run,
        "package": publishing.package,
        "publish": publishing.publish,
    }
    claims = Claims(database, gate, f"{socket.gethostname()}:{os.getpid()}")
    stream_tokens = StreamTokens(key, settings.stream_bucket_seconds)
    return Runtime(
        settings=settings,
        plugins=plugins,
        database=database,
        storage=storage,
        metrics=metrics,
        wakeups=wakeups,
        tokens=Tokens(key, settings.jwt_issuer, settings.jwt_audience),
        login_codes=LoginCodes(database),
        sessions=Sessions(database),
        stream_tokens=stream_tokens,
        ingest=ingest,
        jobs=jobs,
        assembly=assembly,
        library=Library(database),
        listing=Listing(database),
        editing=Editing(database),
        trash=Trash(database),
        delivery=Delivery(database, storage, stream_tokens, settings),
        planning=planning,
        execution=Execution(claims, jobs, metrics, handlers, stopped.is_set),
        reconciler=Reconciler(database, wakeups, jobs, ingest, assembly),
        gate=gate,
        work=work,
        stopped=stopped,
    )
