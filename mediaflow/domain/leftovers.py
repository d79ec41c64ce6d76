"""The document of garbage: what lies in the storage and nothing names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mediaflow.domain.records import SCHEMA_VERSION

LeftoverKind = Literal["objects", "parts", "round", "evicted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A place that a pass over the storage found to be garbage; a later pass removes it if it still is.

    `place` is a key, the beginning of keys (it ends with `/`), or the handle of parts (`parts`; `key` is theirs, where
    the storage tells it). `changed_at` is the time of the newest of it, by the storage's clock; `found_at` is when it
    was found first. The one record of kind `round` tells when somebody last began a pass.
    What was `evicted` is a key too, `key` is the id of the record that it had.
    """

    id: str
    kind: LeftoverKind
    place: str
    found_at: float
    key: str | None = None
    count: int = 0
    size_bytes: int = 0
    changed_at: float = 0.0
    rev: int = 1
    schema: int = SCHEMA_VERSION
