"""Removes records that nobody needs any more, a bounded number in one sweep, safely in several copies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mediaflow.domain.records import Upload
from mediaflow.domain.states import UploadState
from mediaflow.plugin import ReceivesParts
from mediaflow.services.ports import Below, Database, Repository

MOST: Final = 500
DAY_SECONDS: Final = 86400.0
ABANDONED: Final[tuple[UploadState, ...]] = ("aborted", "expired")


@dataclass(frozen=True, slots=True)
class Cleanup:
    """What has expired. `audit_days` is how long the audit log is kept."""

    database: Database
    parts: ReceivesParts
    audit_days: int

    def sweep(self) -> None:
        """Remove some of what is due. A sweep that finds nothing costs a look into an index each."""
        now = self.database.now()
        audited = now - self.audit_days * DAY_SECONDS
        _remove_some(self.database.login_codes, {"expires_at": Below(now)}, "expires_at")
        _remove_some(self.database.answers, {"expires_at": Below(now)}, "expires_at")
        _remove_some(self.database.audit, {"at": Below(audited)}, "at")
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
        self.database.assets.remove(upload.asset_id, {"state": "created", "upload_id": upload.id})
        self.database.uploads.remove(upload.id)


def _remove_some(records: Repository[Any], due: Mapping[str, Any], field: str) -> None:
    for record in records.find(due, sort=(field,), limit=MOST):
        records.remove(record.id, due)
