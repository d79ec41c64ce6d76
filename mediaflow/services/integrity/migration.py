"""Documents of older schemas are brought to the newest shape, page by page, beside a working service.

Nothing depends on it: every older shape is read as well. What is killed in between is continued by the next run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Final

from mediaflow.domain.older import KNOWS_ISSUERS
from mediaflow.domain.records import SCHEMA_VERSION
from mediaflow.services.ports import After, Below, Between, Database, MarksSchema, Repository

KINDS: Final = (
    *("uploads", "chunks", "assets", "jobs", "tasks", "login_codes", "blobs", "api_keys", "audit", "answers"),
    *("queue", "events", "tombstones", "plugin_records", "turns", "leftovers", "segments", "transfers", "imports"),
    "source_files",
)
"""The repositories of a database, by their names."""
CREDENTIALS: Final = ("login_codes", "api_keys")
"""Their schema tells whether they know their makers' issuer: those that don't stay as they are until they end."""
PAGE: Final = 100
_AGAIN: Final = 10
"""So often a document is tried that others keep changing."""


@dataclass(frozen=True, slots=True)
class Brought:
    """How much of a kind was looked at so far: brought to the newest schema, and left since others kept changing it."""

    kind: str
    documents: int
    left: int = 0


@dataclass(frozen=True, slots=True)
class Migration:
    """The documents of one database."""

    database: Database

    def waiting(self) -> dict[str, int]:
        """How many documents are of an older schema, by kind."""
        counts = {kind: self._of(kind).count(_older(kind)) for kind in KINDS}
        return {kind: count for kind, count in counts.items() if count}

    def kept(self) -> int:
        """How many credentials stay as they are."""
        return sum(self._of(kind).count({"schema": Below(KNOWS_ISSUERS)}) for kind in CREDENTIALS)

    def run(self) -> Iterator[Brought]:
        """Bring all documents to the newest schema; tells after each page what was done of its kind."""
        if isinstance(self.database, MarksSchema):
            self.database.raise_schema()
        for kind in KINDS:
            yield from self._bring(kind)

    def _bring(self, kind: str) -> Iterator[Brought]:
        records, last, done, left = self._of(kind), "", 0, 0
        while page := records.find(_older(kind) | {"id": After(last)}, sort=("id",), limit=PAGE):
            for record in page:
                brought = self._brought(records, record)
                done, left = done + brought, left + (not brought)
            last = page[-1].id
            yield Brought(kind, done, left)

    def _brought(self, records: Repository[Any], record: Any) -> bool:
        """True when the document is of the newest schema then, or gone."""
        for _ in range(_AGAIN):
            if records.change(record.id, {"rev": record.rev}, _newest(record)) is not None:
                return True
            record = records.get(record.id)
            if record is None or record.schema == SCHEMA_VERSION:
                return True
        return False

    def _of(self, kind: str) -> Repository[Any]:
        records: Repository[Any] = getattr(self.database, kind)
        return records


def _older(kind: str) -> dict[str, Any]:
    return {"schema": Between(KNOWS_ISSUERS if kind in CREDENTIALS else None, SCHEMA_VERSION)}


def _newest(record: Any) -> dict[str, Any]:
    """All that it is, as it is written today: with the fields that its document does not have."""
    kept = {field.name: getattr(record, field.name) for field in fields(record) if field.name not in ("id", "rev")}
    return kept | {"schema": SCHEMA_VERSION}
