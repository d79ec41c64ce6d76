"""The audit log: who did what, to what, from where. For admins; kept for `audit_days`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import structlog

from mediaflow.domain.requestrecords import AuditEntry
from mediaflow.services.paging import Page
from mediaflow.services.ports import Between, Database, Metrics
from mediaflow.services.requests.refusals import Refusals

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which entries; of the times (seconds since the epoch) the first belongs to the range, the last does not."""

    page: int = 1
    page_size: int = 20
    user: str | None = None
    action: str | None = None
    asset_id: str | None = None
    created_after: float | None = None
    created_before: float | None = None


@dataclass(frozen=True, slots=True)
class Audit:
    """Writes and reads the log."""

    database: Database
    metrics: Metrics
    refusals: Refusals

    def record(self, make: Callable[[], AuditEntry]) -> None:
        """Make and keep an entry. What was done is done: a failure is logged and counted, and never raised."""
        self._kept(make, lambda made: self.database.audit.insert(made()))

    def record_refused(self, address: str, kind: str, make: Callable[[], AuditEntry]) -> None:
        """The same for a refused credential, of which many make one entry (`refusals.py`)."""
        self._kept(make, lambda made: self.refusals.add(address, kind, made))

    def _kept(self, make: Callable[[], AuditEntry], keep: Callable[[Callable[[], AuditEntry]], object]) -> None:
        entry: AuditEntry | None = None

        def made() -> AuditEntry:
            nonlocal entry
            entry = make()
            return entry

        try:
            keep(made)
        except Exception as error:  # noqa: BLE001 - what was done is done
            self.metrics.count("mediaflow_audit_failures_total")
            _log.error("audit entry lost", reason=f"{type(error).__name__}: {error}", entry=entry and asdict(entry))

    def close(self) -> None:
        """Write what is only counted yet. Never raises, for the process ends."""
        try:
            self.refusals.write()
        except Exception as error:  # noqa: BLE001 - see above
            self.metrics.count("mediaflow_audit_failures_total")
            _log.error("counts of refused credentials lost", reason=f"{type(error).__name__}: {error}")

    def page(self, query: AuditQuery) -> Page[AuditEntry]:
        """One page, newest first."""
        self.refusals.write()
        where: dict[str, Any] = {
            name: value for name in ("user", "action", "asset_id") if (value := getattr(query, name)) is not None
        }
        if query.created_after is not None or query.created_before is not None:
            where["at"] = Between(query.created_after, query.created_before)
        skip = (query.page - 1) * query.page_size
        items = self.database.audit.find(where, sort=("-at", "id"), skip=skip, limit=query.page_size)
        return Page(items, query.page, query.page_size, self.database.audit.count(where))
