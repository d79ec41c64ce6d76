"""Everything that a process needs, as one value."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from mediaflow.persistence.redis.alive import AliveWorkers
from mediaflow.persistence.redis.connection import RedisConnection
from mediaflow.plugin import Storage
from mediaflow.registry import Registry
from mediaflow.sandbox.identity import Identity
from mediaflow.sandbox.lastwords import last_words
from mediaflow.services.access.api_keys import ApiKeys
from mediaflow.services.access.credentials import Credentials
from mediaflow.services.access.sessions import LoginCodes, Sessions
from mediaflow.services.access.shares import Shares
from mediaflow.services.access.tokens import Tokens
from mediaflow.services.assets.bulk import Bulk
from mediaflow.services.assets.captions import Captions
from mediaflow.services.assets.editing import Editing
from mediaflow.services.assets.joblist import JobList
from mediaflow.services.assets.keeping import Keeping
from mediaflow.services.assets.library import Library
from mediaflow.services.assets.listing import Listing
from mediaflow.services.assets.plans import Plans
from mediaflow.services.assets.reprocess import Reprocess
from mediaflow.services.assets.steering import Steering
from mediaflow.services.assets.trash import Trash
from mediaflow.services.delivery.awaiting import Awaiting
from mediaflow.services.delivery.delivery import Delivery
from mediaflow.services.delivery.demand import Demand
from mediaflow.services.delivery.stream_tokens import StreamTokens
from mediaflow.services.events.log import EventLog
from mediaflow.services.events.relay import Relay
from mediaflow.services.following.news import News
from mediaflow.services.imports.feeding import Feeding
from mediaflow.services.imports.fetching import Fetcher
from mediaflow.services.imports.folders import Folders
from mediaflow.services.imports.importer import Importer, Stopped
from mediaflow.services.imports.imports import Imports
from mediaflow.services.imports.taking import Taking
from mediaflow.services.integrity.collector import Collector
from mediaflow.services.integrity.fsck import Fsck, examiners_of
from mediaflow.services.originals.places import OriginalFiles
from mediaflow.services.pipeline.backlog import Backlog
from mediaflow.services.pipeline.execution import Execution
from mediaflow.services.pipeline.gate import LoadGate
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.pipeline.pausing import Pausing
from mediaflow.services.pipeline.posters import Posters
from mediaflow.services.pipeline.stepprocess import ChildSteps
from mediaflow.services.pipeline.taskdocs import TaskDocuments
from mediaflow.services.pipeline.workdir import WorkDirectory
from mediaflow.services.ports import Database, Metrics, Wakeups
from mediaflow.services.requests.audit import Audit
from mediaflow.services.requests.idempotency import Idempotency
from mediaflow.services.requests.rate_limits import RateLimits
from mediaflow.services.requests.refusals import Refusals
from mediaflow.services.upkeep.orphans import Orphans
from mediaflow.services.upkeep.reconcile import Reconciler
from mediaflow.services.upkeep.rota import Rota
from mediaflow.services.uploads.assembly import Assembly
from mediaflow.services.uploads.ingest import Ingest
from mediaflow.services.uploads.quotas import Quotas
from mediaflow.services.uploads.transfers import Transfers
from mediaflow.settings import Settings


@dataclass(slots=True)
class Runtime:
    """Everything that a process needs, built once. `start` before use, `stop` to interrupt work, `close` at the end."""

    settings: Settings
    plugins: Registry
    database: Database
    relay: Relay
    storage: Storage
    metrics: Metrics
    wakeups: Wakeups
    credentials: Credentials
    sessions: Sessions
    stream_tokens: StreamTokens
    ingest: Ingest
    transfers: Transfers
    imports: Imports
    jobs: Jobs
    assembly: Assembly
    posters: Posters
    delivery: Delivery
    execution: Execution
    steps: ChildSteps
    reconciler: Reconciler
    gate: LoadGate
    work: WorkDirectory
    rate_limits: RateLimits
    redis: RedisConnection | None = None
    stopped: threading.Event = field(default_factory=threading.Event)
    draining: threading.Event = field(default_factory=threading.Event)
    """Set, what runs is done and nothing new is begun."""

    files: OriginalFiles = field(init=False)
    tokens: Tokens = field(init=False)
    api_keys: ApiKeys = field(init=False)
    shares: Shares = field(init=False)
    login_codes: LoginCodes = field(init=False)
    library: Library = field(init=False)
    listing: Listing = field(init=False)
    keeping: Keeping = field(init=False)
    editing: Editing = field(init=False)
    trash: Trash = field(init=False)
    plans: Plans = field(init=False)
    reprocess: Reprocess = field(init=False)
    bulk: Bulk = field(init=False)
    steering: Steering = field(init=False)
    pausing: Pausing = field(init=False)
    quotas: Quotas = field(init=False)
    idempotency: Idempotency = field(init=False)
    audit: Audit = field(init=False)
    orphans: Orphans = field(init=False)
    captions: Captions = field(init=False)
    alive: AliveWorkers = field(init=False)
    events: EventLog = field(init=False)
    rota: Rota = field(init=False)
    news: News = field(init=False)
    job_list: JobList = field(init=False)
    awaiting: Awaiting = field(init=False)
    demand: Demand = field(init=False)

    def __post_init__(self) -> None:
        """What needs nothing but what is here already."""
        settings, plugins, database = self.settings, self.plugins, self.database
        self.files = self.delivery.files
        self.tokens, self.api_keys = self.credentials.tokens, self.credentials.api_keys
        self.login_codes = LoginCodes(database)
        self.shares, self.listing = Shares(database, self.relay), Listing(database)
        self.library = Library(database, self.delivery.assets)
        self.keeping = Keeping(database, self.files, self.jobs, self.assembly.blobs, TaskDocuments(database))
        self.editing = Editing(database, self.relay)
        self.trash = Trash(database, self.jobs, self.ingest, self.relay, settings.trash_seconds)
        self.plans = Plans(database)
        self.reprocess = Reprocess(
            database, self.jobs, plugins.profiles, Backlog(database, settings.quota_core_seconds)
        )
        self.steering, self.pausing = Steering(database, self.reprocess), Pausing(database)
        self.bulk = Bulk(database, self.trash, self.editing, self.reprocess)
        self.quotas = Quotas.of(database, settings)
        self.idempotency = Idempotency(database, settings.idempotency_seconds)
        self.audit = Audit(database, self.metrics, Refusals(database))
        self.job_list, self.awaiting = JobList(database), Awaiting(database, self.metrics)
        self.demand = Demand(database, self.jobs, self.metrics)
        self.events, self.news = EventLog(database), News(database)
        own = Identity.of(os.getpid())
        self.orphans = Orphans(database, self.wakeups, own, partial(last_words, self.work.root))
        self.rota = Rota(database, plugins, self.metrics, self.execution.claims.worker, own)
        self.captions = Captions(database, self.storage, self.posters.rendering, self.relay)
        self.alive = AliveWorkers(self.redis)

    def fsck(self, *, deep: bool = False) -> Fsck:
        """A check of documents and storage; with `deep`, every original is read and hashed."""
        examiners = examiners_of(self.database, self.files, self.ingest, self.jobs, deep=deep)
        return Fsck(self.database, self.storage, examiners)

    def collector(self, wait_seconds: float | None = None) -> Collector:
        """What removes what nothing names; `wait_seconds` is the settings' unless it is given."""
        wait = self.settings.gc_wait_seconds if wait_seconds is None else wait_seconds
        return Collector(self.database, self.storage, wait)

    def importer(self, is_stopped: Callable[[], bool]) -> Importer:
        """What fetches and takes what is to be imported, until it is stopped."""

        def check() -> None:
            if is_stopped():
                raise Stopped

        taking = Taking(self.ingest, self.captions, check)
        folders = Folders(self.database, self.files, taking)
        feeding = Feeding(self.database, self.assembly, self.settings.import_waiting)
        fetcher = Fetcher(self.imports.allowed)
        return Importer(self.database, self.transfers, fetcher, is_stopped, folders.attempt, feeding.feed)

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
        self.steps.close()
        self.work.close()
        self.news.close()
        self.awaiting.close()
        self.audit.close()
        self.database.close()
        if self.redis is not None:
            self.redis.close()
