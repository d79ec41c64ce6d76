"""Records in memory, for tests of plugins that keep some: `MediaContext({}, records=MemoryRecords())`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mediaflow.plugin import Record


@dataclass(slots=True)
class MemoryRecords:
    """Implements `mediaflow.plugin.Records` for one test and one thread."""

    kept: dict[str, Record] = field(default_factory=dict)

    def insert(self, record: Record) -> bool:
        if record.id in self.kept:
            return False
        self.kept[record.id] = replace(record, created_at=time.time(), rev=1)
        return True

    def get(self, record_id: str) -> Record | None:
        return self.kept.get(record_id)

    def change(
        self, record_id: str, changes: Mapping[str, Any], *, rev: int | None = None, state: str | None = None
    ) -> Record | None:
        record = self.kept.get(record_id)
        if record is None or rev not in (None, record.rev) or state not in (None, record.state):
            return None
        self.kept[record_id] = changed = replace(record, **changes, rev=record.rev + 1)
        return changed

    def find(
        self,
        kind: str,
        *,
        owner: str | None = None,
        subject: str | None = None,
        state: str | None = None,
        due_before: float | None = None,
        newest_first: bool = False,
        skip: int = 0,
        limit: int = 100,
    ) -> list[Record]:
        found = self._all(kind=kind, owner=owner, subject=subject, state=state)
        if newest_first:
            found.reverse()
        if due_before is not None:
            found = [record for record in found if record.due_at is not None and record.due_at < due_before]
            found.sort(key=lambda record: record.due_at or 0.0)
        return found[skip : skip + limit]

    def count(
        self, kind: str, *, owner: str | None = None, subject: str | None = None, state: str | None = None
    ) -> int:
        return len(self._all(kind=kind, owner=owner, subject=subject, state=state))

    def _all(self, **wanted: str | None) -> list[Record]:
        return [r for r in self.kept.values() if all(v in (None, getattr(r, name)) for name, v in wanted.items())]

    def remove(self, record_id: str, *, rev: int | None = None) -> bool:
        record = self.kept.get(record_id)
        if record is None or rev not in (None, record.rev):
            return False
        del self.kept[record_id]
        return True
