"""The one composition root: builds every service over the configured backends, for every process."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from mediaflow.domain.errors import ConfigurationError
from mediaflow.domain.reach import Network, networks_of
from mediaflow.domain.states import Stage
from mediaflow.observability.metrics import PrometheusMetrics
from mediaflow.persistence import open_database
from mediaflow.persistence.http_keys import fetch_keys
from mediaflow.persistence.redis.cache import RedisAssetBodies
from mediaflow.persistence.redis.connection import RedisConnection, open_redis
from mediaflow.persistence.redis.counters import MemoryCounters, SharedCounters
from mediaflow.plugin import ReceivesParts, Storage
from mediaflow.registry import Registry
from mediaflow.runtime.places import database_url, storage_url, work_root, worker_units
from mediaflow.runtime.runtime import Runtime
from mediaflow.runtime.stages import Ground, build_stages
from mediaflow.sandbox.identity import Identity
from mediaflow.services.access.api_keys import ApiKeys
from mediaflow.services.access.credentials import Credentials
from mediaflow.services.access.jwks import KeySet
from mediaflow.services.access.keyfile import load_or_create_key
from mediaflow.services.access.outside import outside_settings
from mediaflow.services.access.sessions import Sessions
from mediaflow.services.access.tokens import OutsideTokens, Tokens
from mediaflow.services.access.users import LocalUsers
from mediaflow.services.assets.asset_cache import AssetReader
from mediaflow.services.assets.keeping import Keeping
from mediaflow.services.assets.purge import Purge
from mediaflow.services.delivery.composing import Composing
from mediaflow.services.delivery.crowding import LEAST_VIEWERS, VIEWERS_PER_CORE, Crowding
from mediaflow.services.delivery.delivery import Delivery
from mediaflow.services.delivery.stream_options import stream_options
from mediaflow.services.delivery.stream_tokens import StreamTokens
from mediaflow.services.delivery.watching import Watching
from mediaflow.services.events.log import EventLog
from mediaflow.services.events.relay import Relay
from mediaflow.services.imports.imports import Imports
from mediaflow.services.imports.sourcerules import SourceRules
from mediaflow.services.integrity.collector import Collector, CollectorSweeper
from mediaflow.services.originals.places import OriginalFiles
from mediaflow.services.pipeline.claims import Claims
from mediaflow.services.pipeline.execution import Execution, StageHandler
from mediaflow.services.pipeline.gate import LoadGate
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.pipeline.rendering import noted_every_seconds
from mediaflow.services.pipeline.workdir import WorkDirectory
from mediaflow.services.plugin_records import PluginRecords
from mediaflow.services.ports import Database, Metrics, Wakeups
from mediaflow.services.requests.rate_limits import RateLimits
from mediaflow.services.upkeep.cleanup import Cleanup
from mediaflow.services.upkeep.eviction import Eviction
from mediaflow.services.upkeep.generations import Generations
from mediaflow.services.upkeep.linkwatch import LinkWatch
from mediaflow.services.upkeep.reconcile import Reconciler, Sweeper
from mediaflow.services.upkeep.stragglers import Stragglers
from mediaflow.services.upkeep.topology import check_topology
from mediaflow.services.upkeep.transfers import TransferSweep
from mediaflow.services.uploads.assembly import Assembly
from mediaflow.services.uploads.blobs import Blobs
from mediaflow.services.uploads.holding import Holding
from mediaflow.services.uploads.ingest import Ingest
from mediaflow.services.uploads.transfers import Transfers
from mediaflow.settings import Settings


def make_metrics(plugins: Registry) -> PrometheusMetrics:
    """The process's metrics, the plugins' among them."""
    return PrometheusMetrics(plugins.metric_specs)


def _outside_tokens(settings: Settings, users: LocalUsers) -> OutsideTokens | None:
    """The outside issuer, when there is one; its keys are fetched when the first token comes.

    The database is asked at once, but only of names that older versions took: when MEDIAFLOW_JWKS_USERS_FILE has some.
    """
    found = outside_settings(settings, users.is_known)
    if found is None:
        return None
    return OutsideTokens(KeySet(partial(fetch_keys, found.url)), found.users, found.audience)


def _credentials(settings: Settings, database: Database, key: bytes) -> Credentials:
    local = LocalUsers(database)
    tokens = Tokens(key, settings.jwt_issuer, settings.jwt_audience, local.resolve)
    outside = _outside_tokens(settings, local)
    users = None if outside is None else outside.users
    return Credentials(
        tokens, outside, ApiKeys(database, users, settings.api_key_seconds, settings.api_key_max_seconds)
    )


def _rate_limits(settings: Settings, redis: RedisConnection | None) -> RateLimits:
    counters = MemoryCounters() if redis is None else SharedCounters(redis)
    return RateLimits(
        counters,
        settings.rate_limit_per_minute,
        settings.login_failures_per_minute,
        settings.anonymous_requests_per_minute,
        settings.demand_per_minute,
    )


def _asset_reader(
    settings: Settings, database: Database, metrics: Metrics, redis: RedisConnection | None
) -> AssetReader:
    """Bodies come through Redis where that is faster: a SQLite file is read in less time than Redis takes to answer."""
    worth_it = not database_url(settings).startswith("sqlite:") or "asset_cache_seconds" in settings.from_environment
    if redis is None or not worth_it:
        return AssetReader(database)
    return AssetReader(database, metrics, RedisAssetBodies(redis), settings.asset_cache_seconds)


def _open_documents(settings: Settings, plugins: Registry) -> Database:
    """The database, of which each plugin gets its part. Ours is in the data directory, which is made here."""
    settings.data_path.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = open_database(database_url(settings))
    plugins.use_documents(EventLog(database), partial(PluginRecords, database))
    return database


def _open_storage(
    settings: Settings, plugins: Registry, database: Database
) -> tuple[Storage, ReceivesParts, OriginalFiles]:
    """The storage: as what keeps objects, as what receives them in parts, and as one place of originals.

    ConfigurationError if unfit.
    """
    url = storage_url(settings)
    storage = plugins.open_storage(url, settings)
    check_topology(
        redis_url=settings.redis_url,
        database_url=database_url(settings),
        storage_url=url,
        storage_is_shared=plugins.storage_scheme(url).shared,
    )
    if not isinstance(storage, ReceivesParts):
        raise ConfigurationError(f"The storage {url.split(':')[0]!r} can't receive uploads in parts.")
    opens = partial(plugins.open_storage, settings=settings)
    archive = opens(settings.archive_url) if settings.archive_url else None
    return storage, storage, OriginalFiles(database, storage, opens, archive)


def _sweepers(
    on: Ground, parts: ReceivesParts, relay: Relay, transfers: Transfers, keeping: Keeping
) -> tuple[Sweeper, ...]:
    ingest, blobs = transfers.ingest, Blobs(on.database, on.storage)
    return (
        relay,
        TransferSweep(transfers),
        Purge(on.database, on.files, parts, relay, ingest, on.jobs, blobs),
        Stragglers(on.database, on.jobs),
        Generations(on.database, on.storage),
        LinkWatch(on.database, on.files, relay),
        keeping,
        Cleanup(
            on.database,
            parts,
            relay,
            audit_days=on.settings.audit_days,
            event_days=on.settings.event_days,
            key_seconds=on.settings.api_key_max_seconds,
        ),
        Eviction(
            on.database,
            on.storage,
            on.files,
            on.metrics,
            on.settings.rendition_budget_bytes,
            on.settings.stream_bucket_seconds,
        ),
        CollectorSweeper(Collector(on.database, on.storage, on.settings.gc_wait_seconds), on.settings.gc_seconds),
    )


def _source_rules(settings: Settings, files: OriginalFiles) -> SourceRules:
    allowed = tuple(Path(each) for each in settings.import_folders.split(":") if each)
    return SourceRules(files, settings.data_path, allowed)


@dataclass(frozen=True, slots=True)
class _Ends:
    """What makes a process begin nothing more: it stops, or drains."""

    stopped: threading.Event = field(default_factory=threading.Event)
    draining: threading.Event = field(default_factory=threading.Event)


def _import_networks(settings: Settings) -> tuple[Network, ...]:
    return networks_of(settings.import_allowed_networks, "MEDIAFLOW_IMPORT_ALLOWED_NETWORKS")


def _worker(own: Identity | None) -> str:
    """How this process is called in the documents."""
    return f"{socket.gethostname()}:{os.getpid()}" if own is None else str(own)


def _execution(on: Ground, gate: LoadGate, ends: _Ends, handlers: Mapping[Stage, StageHandler]) -> Execution:
    own = Identity.of(os.getpid())
    claims = Claims(on.database, gate, _worker(own), None if own is None else own.place)
    return Execution(claims, on.jobs, on.metrics, handlers, ends.stopped.is_set, ends.draining.is_set)


def _delivery(on: Ground, tokens: StreamTokens, assets: AssetReader) -> Delivery:
    options = stream_options(on.settings, on.storage)
    watching = Watching(on.database, noted_every_seconds(on.settings.stream_bucket_seconds))
    cores = worker_units(on.settings) * on.settings.worker_processes
    crowding = Crowding(on.database, on.settings.demand_viewers or max(LEAST_VIEWERS, VIEWERS_PER_CORE * cores))
    composing = Composing(on.storage)
    documents = (on.database, on.storage, on.files)
    return Delivery(*documents, tokens, on.settings, composing, options, assets, watching, crowding)


def _transfers(on: Ground, parts: ReceivesParts, relay: Relay, wakeups: Wakeups) -> Transfers:
    ingest = Ingest(on.database, on.storage, parts, on.plugins, relay, wakeups, on.metrics, on.settings)
    return Transfers(on.database, on.storage, ingest, Holding(on.database))


def build_runtime(settings: Settings, plugins: Registry, *, metrics: Metrics, wakeups: Wakeups) -> Runtime:
    """Wire every service. Nothing connects and nothing runs yet, except that a missing key file is made."""
    plugins.use_metrics(metrics)
    database, redis = _open_documents(settings, plugins), open_redis(settings.redis_url)
    key, (storage, parts, files) = load_or_create_key(settings), _open_storage(settings, plugins, database)
    gate, work, ends = LoadGate(worker_units(settings)), WorkDirectory(work_root(settings)), _Ends()
    relay, blobs = Relay(database, plugins, metrics), Blobs(database, storage)
    jobs, stream_tokens = Jobs(database, relay, wakeups, metrics), StreamTokens(key, settings.stream_bucket_seconds)
    assembly = Assembly(database, storage, parts, relay, jobs, blobs, metrics, _worker(Identity.of(os.getpid())))
    stages = build_stages(on := Ground(settings, plugins, metrics, database, storage, files, jobs, work))
    sweepers = _sweepers(on, parts, relay, transfers := _transfers(on, parts, relay, wakeups), stages.keeping)
    credentials, assets = _credentials(settings, database, key), _asset_reader(settings, database, metrics, redis)
    return Runtime(
        settings=settings,
        plugins=plugins,
        database=database,
        relay=relay,
        storage=storage,
        metrics=metrics,
        wakeups=wakeups,
        credentials=credentials,
        sessions=Sessions(database, key, credentials.api_keys.outside),
        stream_tokens=stream_tokens,
        ingest=transfers.ingest,
        transfers=transfers,
        imports=Imports(database, transfers, _source_rules(settings, on.files), _import_networks(settings)),
        jobs=jobs,
        assembly=assembly,
        posters=stages.posters,
        delivery=_delivery(on, stream_tokens, assets),
        execution=_execution(on, gate, ends, stages.handlers),
        steps=stages.steps,
        reconciler=Reconciler(database, wakeups, jobs, transfers.ingest, assembly, sweepers),
        gate=gate,
        work=work,
        rate_limits=_rate_limits(settings, redis),
        redis=redis,
        stopped=ends.stopped,
        draining=ends.draining,
    )
