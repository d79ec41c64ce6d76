"""The documents of plugins, as the database keeps them. See `records.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mediaflow.domain.records import SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginRecord:
    """A document of a plugin. `id` is derived from the plugin's name and `key`, the plugin's own id for it."""

    id: str
    plugin: str
    key: str
    kind: str
    owner: str
    subject: str
    state: str
    due_at: float | None
    data: dict[str, Any] = field(default_factory=dict)
    created_at: float
    updated_at: float
    rev: int = 1
    schema: int = SCHEMA_VERSION
