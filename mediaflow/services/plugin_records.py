"""The records of plugins: each plugin's own, in one collection (`mediaflow.plugin.Records`)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mediaflow.domain.ids import derived_id
from mediaflow.domain.pluginrecords import PluginRecord
from mediaflow.plugin import Record
from mediaflow.services.ports import Below, Database

LARGEST_BYTES: Final = 256 * 1024
LONGEST_TEXT: Final = 500
CHANGEABLE: Final = frozenset({"owner", "subject", "state", "due_at", "data"})
_KIND: Final = re.compile(r"[a-z][a-z0-9_.-]{0,59}")


@dataclass(frozen=True, slots=True)
class PluginRecords:
    """Implements `mediaflow.plugin.Records` for one plugin."""

    database: Database
    plugin: str

    def insert(self, record: Record) -> bool:
        if _KIND.fullmatch(record.kind) is None:
            raise ValueError(f"a record's kind can't be {record.kind!r:.100}; write lower-case words, as delivery")
        fields = {name: getattr(record, name) for name in ("kind", *sorted(CHANGEABLE))}
        now = self.database.now()
        kept = {"plugin": self.plugin, "key": record.id, "created_at": now, "updated_at": now, **_checked(fields)}
        return self.database.plugin_records.insert(PluginRecord(id=self._id(record.id), **kept))

    def get(self, record_id: str) -> Record | None:
        found = self.database.plugin_records.get(self._id(record_id))
        return None if found is None else _record(found)

    def change(
        self, record_id: str, changes: Mapping[str, Any], *, rev: int | None = None, state: str | None = None
    ) -> Record | None:
        if unknown := changes.keys() - CHANGEABLE:
            names = ", ".join(sorted(CHANGEABLE))
            raise ValueError(f"a record's {sorted(unknown)[0]!r:.100} can't be changed; these can: {names}")
        expect = _given(rev=rev, state=state)
        changed = self.database.plugin_records.change(
            self._id(record_id), expect, {**_checked(changes), "updated_at": self.database.now()}
        )
        return None if changed is None else _record(changed)

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
        where = _given(plugin=self.plugin, kind=kind, owner=owner, subject=subject, state=state)
        sort = ("-created_at", "-key") if newest_first else ("created_at", "key")
        if due_before is not None:
            where["due_at"], sort = Below(due_before), ("due_at", "key")
        found = self.database.plugin_records.find(where, sort=sort, skip=skip, limit=limit)
        return [_record(record) for record in found]

    def count(
        self, kind: str, *, owner: str | None = None, subject: str | None = None, state: str | None = None
    ) -> int:
        where = _given(plugin=self.plugin, kind=kind, owner=owner, subject=subject, state=state)
        return self.database.plugin_records.count(where)

    def remove(self, record_id: str, *, rev: int | None = None) -> bool:
        return self.database.plugin_records.remove(self._id(record_id), _given(rev=rev))

    def _id(self, key: str) -> str:
        return derived_id("plugin record", self.plugin, key)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as they are kept. Their types are checked by the database."""
    for name, value in fields.items():
        if isinstance(value, str) and len(value) > LONGEST_TEXT:
            raise ValueError(f"a record's {name} has {len(value)} characters; at most {LONGEST_TEXT} are kept")
    if "data" not in fields:
        return dict(fields)
    written = json.dumps(fields["data"], allow_nan=False)
    if len(written) > LARGEST_BYTES:
        raise ValueError(f"a record's data has {len(written)} bytes; at most {LARGEST_BYTES} are kept")
    return {**fields, "data": dict(fields["data"])}


def _record(kept: PluginRecord) -> Record:
    return Record(
        id=kept.key,
        kind=kept.kind,
        owner=kept.owner,
        subject=kept.subject,
        state=kept.state,
        due_at=kept.due_at,
        data=kept.data,
        created_at=kept.created_at,
        rev=kept.rev,
    )
