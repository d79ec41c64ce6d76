"""Removes records that nobody needs any more, a bounded number in one sweep, safely in several copies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mediaflow.domain.records import Upload
from mediaflow.domain.states import UploadState
from mediaflow.plugin import ReceivesParts
from mediaflow.services.events.log import EventLog
from mediaflow.services.ports import Below, Database, Outbox, Repository

MOST: Final = 500
DAY_SECONDS: Final = 86400.0
KEY_DAYS: Final = 30
"""So long is a key that ended still listed, with its name: the audit log only has its id."""
TOMBSTONE_DAYS: Final = 30
SEGMENT_DAYS: Final = 90
"""No job takes so long, and nobody watches so long what it opened: who stood still may have left one."""
PIECE_SECONDS: Final = 600.0
"""So long a job of demand can still be looked at when it has ended. No name of one comes again by then."""
FOUND_DAYS: Final = 7
"""What was found to be garbage so long ago, and was not removed, is none any more, or is found again."""
ABANDONED: Final[tuple[UploadState, ...]] = ("aborted", "expired")


@dataclass(frozen=True, slots=True)
class Cleanup:
    """What has expired. `audit_days` is how long the audit log is kept, `event_days` how long the log of events, and
    `key_seconds` an API key's longest life.
    """

    database: Database
    parts: ReceivesParts
    outbox: Outbox
    audit_days: int
    event_days: int
    key_seconds: float

    def sweep(self) -> None:
        """Remove some of what is due. A sweep that finds nothing costs a look into an index each."""
        now = self.database.now()
        audited, buried = now - self.audit_days * DAY_SECONDS, now - TOMBSTONE_DAYS * DAY_SECONDS
        _remove_some(self.database.login_codes, {"expires_at": Below(now)}, "expires_at")
        _remove_some(self.database.answers, {"expires_at": Below(now)}, "expires_at")
        _remove_some(self.database.audit, {"at": Below(audited)}, "at")
        ended = now - KEY_DAYS * DAY_SECONDS
        _remove_some(self.database.api_keys, {"revoked_at": Below(ended)}, "revoked_at")
        _remove_some(self.database.api_keys, {"expires_at": Below(ended)}, "expires_at")
        # older versions made some without an end; they end as the longest of today do (`access/api_keys.py`)
        endless = {"expires_at": None, "created_at": Below(ended - self.key_seconds)}
        _remove_some(self.database.api_keys, endless, "created_at")
        _remove_some(self.database.tombstones, {"purged_at": Below(buried), "tell_at": None}, "purged_at")
        _remove_some(self.database.leftovers, {"found_at": Below(now - FOUND_DAYS * DAY_SECONDS)}, "found_at")
        unused = {"created_at": Below(now - SEGMENT_DAYS * DAY_SECONDS), "eager": True}
        _remove_some(self.database.segments, unused, "created_at")
        pieces = {"kind": "demand", "finished_at": Below(now - PIECE_SECONDS)}
        for job in self.database.jobs.find(pieces, sort=("finished_at",), limit=MOST):
            for task in self.database.tasks.find({"job_id": job.id}):
                self.outbox.remove(self.database.tasks, task.id)
            self.outbox.remove(self.database.jobs, job.id)
        EventLog(self.database).forget(now - self.event_days * DAY_SECONDS)
        for state in ABANDONED:
            # its sender may ask for a day what became of it
            before = Below(now - DAY_SECONDS)
            where = {"state": state, "expires_at": before, "updated_at": before}
            for upload in self.database.uploads.find(where, sort=("expires_at",), limit=MOST):
                self._forget(upload)

    def _forget(self, upload: Upload) -> None:
        """Also what a request that was under way brought in after the end, or a crash left behind."""
        self.parts.abort_parts(upload.storage_key, upload.parts_handle)
        for chunk in self.database.chunks.find({"upload_id": upload.id}):
            self.database.chunks.remove(chunk.id)
        self.outbox.remove(self.database.assets, upload.asset_id, {"state": "created", "upload_id": upload.id})
        self.outbox.remove(self.database.uploads, upload.id)


def _remove_some(records: Repository[Any], due: Mapping[str, Any], field: str) -> None:
    for record in records.find(due, sort=(field,), limit=MOST):
        records.remove(record.id, due)
