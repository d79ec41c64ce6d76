"""Identifiers: 32 lower-case hex digits, random or derived (so that creating the same thing twice meets itself)."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

ID_PATTERN: Final = r"^[0-9a-f]{32}$"
_ID = re.compile(ID_PATTERN)


def new_id() -> str:
    """A fresh random id (128 bits)."""
    return secrets.token_hex(16)


def derived_id(*parts: object) -> str:
    """The same id for the same parts, every time: 128 bits of SHA-256 over the parts, each with its length in front."""
    digest = hashlib.sha256()
    for part in parts:
        data = str(part).encode()
        digest.update(b"%d:" % len(data) + data)
    return digest.hexdigest()[:32]


def is_id(text: str) -> bool:
    """True when the text is an id of ours."""
    return _ID.fullmatch(text) is not None


def job_id(asset_id: str, generation: int) -> str:
    """The one job of an asset's generation."""
    return derived_id("job", asset_id, generation)


def task_id(job: str, name: str) -> str:
    """The one task of that name in a job."""
    return derived_id("task", job, name)


def segment_id(asset_id: str, generation: int, track: str, number: int) -> str:
    """The one record of that segment of a generation (-1: of the init segment)."""
    return derived_id("segment", asset_id, generation, track, number)


def chunk_id(upload_id: str, index: int) -> str:
    """The one record of that chunk of an upload."""
    return derived_id("chunk", upload_id, index)
