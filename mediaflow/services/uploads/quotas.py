"""How much is too much: bytes and assets of an owner. Admins have the same limits, for a disk knows no roles."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mediaflow.domain.errors import LimitReached
from mediaflow.domain.records import Asset
from mediaflow.services.ports import Database, OneOf
from mediaflow.settings import Settings

TRIES: Final = 5
PAUSE_SECONDS: Final = 0.02
MANY: Final = 2**62
RETRY_SECONDS: Final = 60
"""Room comes with a purge, whose time nobody knows: often enough for a program that waits."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What an owner has. Announced, stored and deleted assets count until they are purged, each with its own size; of
    linked originals the bytes are not ours.
    """

    assets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Quotas:
    """Bytes of originals and number of assets, an owner. 0 is no limit."""

    database: Database
    largest_bytes: int
    most_assets: int
    pause: Callable[[float], None] = time.sleep

    @classmethod
    def of(cls, database: Database, settings: Settings, pause: Callable[[float], None] = time.sleep) -> Quotas:
        """As the settings have it."""
        return cls(database, settings.quota_bytes, settings.quota_assets, pause)

    def usage(self, owner: str) -> Usage:
        """What the owner has now."""
        where = {"owner": owner}
        linked = {**where, "linked": True, "state": OneOf(("taking", "taken"))}
        elsewhere = self.database.source_files.total("size_bytes", linked)
        stored = max(0, int(self.database.assets.total("size_bytes", where) - elsewhere))
        return Usage(self.database.assets.count(where), stored)

    def check(self, owner: str, size_bytes: int) -> None:
        """LimitReached when one more asset of that size would be too much."""
        if self.largest_bytes or self.most_assets:
            used = self.usage(owner)
            refusal = self._refusal(used, Usage(used.assets + 1, used.bytes + size_bytes))
            if refusal is not None:
                raise refusal

    def admit(self, asset: Asset) -> None:
        """Insert an announced asset; LimitReached when it is too much."""
        if not (self.largest_bytes or self.most_assets):
            self.database.assets.insert(asset)
            return

        def inserted() -> LimitReached | None:
            self.database.assets.insert(asset)
            used = self.usage(asset.owner)
            return self._refusal(Usage(used.assets - 1, used.bytes - asset.size_bytes), used)

        def take_back() -> None:
            # not when somebody is telling of it: then it was made, and is to be ended like any other
            self.database.assets.remove(asset.id, {"state": "created", "tell_at": asset.tell_at})

        insert_within(inserted, take_back, lambda: self.check(asset.owner, asset.size_bytes), self.pause)

    def _refusal(self, before: Usage, after: Usage) -> LimitReached | None:
        if self.most_assets and after.assets > self.most_assets:
            return _exceeded("assets", before.assets, self.most_assets, 1)
        if self.largest_bytes and after.bytes > self.largest_bytes:
            return _exceeded("bytes", before.bytes, self.largest_bytes, after.bytes - before.bytes)
        return None


@dataclass(slots=True)
class Allowance:
    """What an owner may have of many files, one after another: counted again when half of what was left is used up, and
    for each file when there is little. Counting takes a time that grows with what there is.
    """

    quotas: Quotas
    owner: str
    _assets: int = 0
    _bytes: int = 0

    def admit(self, asset: Asset, size_bytes: int) -> None:
        """Insert an asset of which so many bytes come here; LimitReached when it is too much."""
        if not self._has_room(size_bytes):
            self._count()
        if not self._has_room(size_bytes):
            self.quotas.admit(asset)
            return
        self._assets -= 1
        self._bytes -= size_bytes
        self.quotas.database.assets.insert(asset)

    def _has_room(self, size_bytes: int) -> bool:
        return self._assets > 0 and self._bytes >= size_bytes

    def _count(self) -> None:
        quotas, used = self.quotas, self.quotas.usage(self.owner)
        self._assets = (quotas.most_assets - used.assets) // 2 if quotas.most_assets else MANY
        self._bytes = (quotas.largest_bytes - used.bytes) // 2 if quotas.largest_bytes else MANY


def insert_within(
    insert: Callable[[], LimitReached | None],
    take_back: Callable[[], None],
    check: Callable[[], None],
    pause: Callable[[float], None],
) -> None:
    """Insert a record, unless what an owner has then is too much; LimitReached.

    It is inserted first, then everything is summed: of several at once, none can overlook another. When the sum is too
    large it is taken back; the others may have done the same, so it is tried again. `insert` answers with the error
    that the sum makes, if any, and `check` raises one when a single record more is too much.
    """
    refusal = insert()
    for attempt in range(1, TRIES):
        if refusal is None:
            return
        take_back()
        pause(random.uniform(0, PAUSE_SECONDS * 2**attempt))  # noqa: S311 - so that they do not meet again
        check()
        refusal = insert()
    if refusal is not None:
        take_back()
        raise refusal


def _exceeded(unit: str, used: int, limit: int, asked: int) -> LimitReached:
    return LimitReached(
        f"You have {used} {unit} of at most {limit}, and asked for {asked} more; deleted assets count until they are"
        f" purged. Purge some; the operator raises the limit with MEDIAFLOW_QUOTA_{unit.upper()}.",
        code=f"limit.quota_{unit}",
        retry_after_seconds=RETRY_SECONDS,
        used=used,
        limit=limit,
        asked=asked,
    )
