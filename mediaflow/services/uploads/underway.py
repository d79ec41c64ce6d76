"""What an owner may have on the way: uploads that are not complete, and bytes of them that have not come.

An announcement costs a document and an empty file, and its room is taken by the bytes that come. But whoever announces
without end fills the database and the lists of everybody who looks after it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mediaflow.domain.errors import LimitReached
from mediaflow.domain.records import Upload
from mediaflow.domain.states import UPLOAD_RECEIVING
from mediaflow.services.ports import Database, OneOf
from mediaflow.services.uploads.quotas import RETRY_SECONDS, insert_within
from mediaflow.settings import Settings


@dataclass(frozen=True, slots=True)
class Underway:
    """Limits of an owner's open uploads. 0 is no limit; one upload of the largest size always fits into the bytes."""

    database: Database
    most: int
    largest_bytes: int
    pause: Callable[[float], None] = time.sleep

    @classmethod
    def of(cls, database: Database, settings: Settings, pause: Callable[[float], None] = time.sleep) -> Underway:
        """As the settings have it."""
        unreceived = settings.quota_unreceived_bytes
        largest = max(unreceived, settings.max_upload_bytes) if unreceived else 0
        return cls(database, settings.quota_open_uploads, largest, pause)

    def admit(self, upload: Upload) -> None:
        """Insert an announced upload; LimitReached when it is one too many. Of several at once none is overlooked."""

        def inserted() -> LimitReached | None:
            self.database.uploads.insert(upload)
            return self._refusal(upload.owner, 0, 0)

        def take_back() -> None:
            self.database.uploads.remove(upload.id, {"state": "initialized"})

        insert_within(inserted, take_back, lambda: self.check(upload.owner, upload.size_bytes), self.pause)

    def check(self, owner: str, size_bytes: int) -> None:
        """LimitReached when one more upload of that size would be too much."""
        refusal = self._refusal(owner, 1, size_bytes)
        if refusal is not None:
            raise refusal

    def _refusal(self, owner: str, more: int, more_bytes: int) -> LimitReached | None:
        where = {"owner": owner, "state": OneOf(UPLOAD_RECEIVING)}
        if self.most and (count := self.database.uploads.count(where)) + more > self.most:
            return _exceeded("open_uploads", f"{count} uploads that are not complete", count, self.most, more)
        if self.largest_bytes and (announced := self._announced(where)) + more_bytes > self.largest_bytes:
            # what came is looked up only when it matters: it takes a look at the chunks of each upload
            waited = announced - self._received(where)
            if waited + more_bytes > self.largest_bytes:
                words = f"{waited} announced bytes that have not come"
                return _exceeded("unreceived_bytes", words, waited, self.largest_bytes, more_bytes)
        return None

    def _announced(self, where: dict[str, Any]) -> int:
        return int(self.database.uploads.total("size_bytes", where))

    def _received(self, where: dict[str, Any]) -> int:
        chunks = self.database.chunks
        return sum(
            int(chunks.total("length", {"upload_id": upload.id, "state": "received"}))
            for upload in self.database.uploads.find(where)
        )


def _exceeded(what: str, words: str, used: int, limit: int, asked: int) -> LimitReached:
    return LimitReached(
        f"You have {words}, of at most {limit}; complete or abort some first. The operator raises the limit with "
        f"MEDIAFLOW_QUOTA_{what.upper()}.",
        code=f"limit.{what}",
        retry_after_seconds=RETRY_SECONDS,
        used=used,
        limit=limit,
        asked=asked,
    )
