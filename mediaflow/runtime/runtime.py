"""Everything that a process needs, as one value."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from mediaflow.persistence.redis.connection import RedisConnection
from mediaflow.plugin import Storage
from mediaflow.registry import Registry
from mediaflow.services.access.api_keys import ApiKeys
from mediaflow.services.access.credentials import Credentials
from mediaflow.services.access.sessions import LoginCodes, Sessions
from mediaflow.services.access.shares import Shares
from mediaflow.services.access.tokens import Tokens
from mediaflow.services.assets.bulk import Bulk
from mediaflow.services.assets.captions import Captions
from mediaflow.services.assets.editing import Editing
from mediaflow.services.assets.library import Library
from mediaflow.services.assets.listing import Listing
from mediaflow.services.assets.reprocess import Reprocess
from mediaflow.services.assets.trash import Trash
from mediaflow.services.delivery.delivery import Delivery
from mediaflow.services.delivery.stream_tokens import StreamTokens
from mediaflow.services.pipeline.execution import Execution
from mediaflow.services.pipeline.gate import LoadGate
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.pipeline.planning import Planning
from mediaflow.services.pipeline.posters import Posters
from mediaflow.services.pipeline.stepprocess import ChildSteps
from mediaflow.services.pipeline.workdir import WorkDirectory
from mediaflow.services.ports import Database, Metrics, Wakeups
from mediaflow.services.requests.audit import Audit
from mediaflow.services.requests.idempotency import Idempotency
from mediaflow.services.requests.rate_limits import RateLimits
from mediaflow.services.upkeep.reconcile import Reconciler
from mediaflow.services.uploads.assembly import Assembly
from mediaflow.services.uploads.ingest import Ingest
from mediaflow.services.uploads.quotas import Quotas
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
    credentials: Credentials
    api_keys: ApiKeys
    shares: Shares
    login_codes: LoginCodes
    sessions: Sessions
    stream_tokens: StreamTokens
    ingest: Ingest
    jobs: Jobs
    assembly: Assembly
    library: Library
    listing: Listing
    editing: Editing
    captions: Captions
    posters: Posters
    trash: Trash
    reprocess: Reprocess
    bulk: Bulk
    delivery: Delivery
    planning: Planning
    execution: Execution
    steps: ChildSteps
    reconciler: Reconciler
    gate: LoadGate
    work: WorkDirectory
    rate_limits: RateLimits
    quotas: Quotas
    idempotency: Idempotency
    audit: Audit
    redis: RedisConnection | None = None
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
        self.steps.close()
        self.work.close()
        self.database.close()
        if self.redis is not None:
            self.redis.close()
