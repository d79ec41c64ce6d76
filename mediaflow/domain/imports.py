"""What is brought in by the service itself: files from addresses, folders, and prefixes of other storages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from mediaflow.domain.records import SCHEMA_VERSION

ImportState = Literal["waiting", "running", "done", "failed", "ended"]
ImportKind = Literal["file", "folder"]
SourceState = Literal["seen", "taking", "taken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """A file (`kind`), or all of a folder. Who fetches has the `token` until `lease_until`; the next of its `attempts`
    begins after `not_before`.

    The `id` of a file's is that of its transfer, into which the bytes go. `validator` is the ETag of what has come,
    with which a server tells whether the rest is of the same file. `until`: when it has to be there.

    That of a folder (`url`: its path, or a storage's URL) has neither upload nor asset of its own; `options` are how it
    is taken, `counts` and `notes` are what was found at the last look, `error` why nothing was.
    """

    id: str
    owner: str
    upload_id: str
    asset_id: str
    url: str
    state: ImportState
    created_at: float
    updated_at: float
    not_before: float
    until: float
    attempts: int = 0
    validator: str | None = None
    token: str | None = None
    lease_until: float = 0.0
    kind: ImportKind = "file"
    options: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)
    notes: list[dict[str, Any]] = field(default_factory=list)
    error: dict[str, Any] | None = None
    rev: int = 1
    schema: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file of a folder or a prefix, as it was when it was looked at last: by this, taking it again does nothing.

    `id` is derived from owner, `source` and `name`. It is `seen` while it may still grow, `taking` from when its asset
    has an id until that is there, then `taken`. A `linked` one is its asset's original and stays where it is; since
    `gone_at` it is not there any more as it was taken. `sha256` is known of what was copied, else when it is needed.
    """

    id: str
    owner: str
    source: str
    name: str
    size_bytes: int
    modified_at: float
    state: SourceState
    import_id: str
    upload_id: str
    asset_id: str
    linked: bool
    created_at: float
    updated_at: float
    sha256: str | None = None
    gone_at: float | None = None
    rev: int = 1
    schema: int = SCHEMA_VERSION
