"""What arrives in the storage: objects of uploads and parts that no upload names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from mediaflow.domain import keys
from mediaflow.plugin import KnowsParts, ObjectInfo, Reception, Storage
from mediaflow.services.integrity.assets import OLD_SECONDS
from mediaflow.services.integrity.findings import PAGE, Finding, by_id
from mediaflow.services.integrity.naming import ARRIVING
from mediaflow.services.ports import Database, OneOf

ALL: Final = "uploads/"
_PARTS: Final = "parts "
"""Begins the subject of a finding about parts: a handle is no id."""


@dataclass(frozen=True, slots=True)
class ArrivalExaminer:
    """Finds what was left where uploads arrive."""

    database: Database
    storage: Storage

    kind = "arrivals"

    def suspects(self, told: Callable[[int], None]) -> Iterator[Finding]:
        listed = self.storage.list(ALL)
        while page := list(islice(listed, PAGE)):
            told(len(page))
            yield from (self._object(info) for info in unnamed_arrivals(self.database, page))
        if isinstance(self.storage, KnowsParts):
            receptions = self.storage.receptions()
            while begun := list(islice(receptions, PAGE)):
                told(len(begun))
                yield from (self._parts(each) for each in unnamed_receptions(self.database, begun))

    def again(self, subject: str) -> Iterator[Finding]:
        if subject.startswith(_PARTS) and isinstance(self.storage, KnowsParts):
            begun = [each for each in self.storage.receptions() if _PARTS + each.handle == subject]
            yield from (self._parts(each) for each in unnamed_receptions(self.database, begun))
        elif (info := self.storage.stat(subject)) is not None:
            yield from (self._object(each) for each in unnamed_arrivals(self.database, [info]))

    def _object(self, info: ObjectInfo) -> Finding:
        return self._garbage("upload.orphan", info.key, info.size_bytes, info.modified_at)

    def _parts(self, begun: Reception) -> Finding:
        return self._garbage("upload.orphan_parts", _PARTS + begun.handle, begun.size_bytes, begun.changed_at)

    def _garbage(self, code: str, subject: str, size_bytes: int, at: float) -> Finding:
        is_old = at < self.database.now() - OLD_SECONDS
        detail = f"{size_bytes} bytes that no upload names; `mediaflow gc` removes them"
        return Finding(code, subject, detail + (", and has not for a week" * is_old), note=not is_old)


def unnamed_arrivals(database: Database, infos: list[ObjectInfo]) -> list[ObjectInfo]:
    """Those of the objects (`uploads/...`) whose upload is not there, or is past them, and that are no original yet."""
    uploads = by_id(database.uploads, (info.key.removeprefix(ALL) for info in infos))
    named = {keys.upload_key(upload.id) for upload in uploads.values() if upload.state in ARRIVING}
    assets = by_id(database.assets, (upload.asset_id for upload in uploads.values() if upload.state == "queued"))
    named |= {asset.original_key for asset in assets.values() if asset.original_key is not None}
    return [info for info in infos if info.key not in named]


def unnamed_receptions(database: Database, begun: list[Reception]) -> list[Reception]:
    """Those of the open parts that no upload takes any more."""
    where: dict[str, Any] = {"parts_handle": OneOf(tuple(each.handle for each in begun))}
    named = {upload.parts_handle for upload in database.uploads.find(where) if upload.state in ARRIVING}
    return [each for each in begun if each.handle not in named]
