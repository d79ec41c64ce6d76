"""The documents: the only truth about uploads, assets, jobs and tasks. Both databases keep exactly these fields.

Times are seconds since the epoch (UTC). `schema` is the version of the document's shape. `rev` grows by one with each
change. Dictionaries and lists hold JSON values only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mediaflow.domain.states import AssetState, ChunkState, Stage, UploadState, Visibility, WorkState

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One announced file. Owner, sizes and asset id are fixed at the start; `metadata` is what the asset will say."""

    id: str
    owner: str
    asset_id: str
    filename: str
    content_type: str | None
    size_bytes: int
    chunk_size_bytes: int
    chunk_count: int
    declared_sha256: str | None
    profile: str | None
    dedup: str
    auto_complete: bool
    state: UploadState
    storage_key: str
    parts_handle: str
    created_at: float
    updated_at: float
    expires_at: float
    metadata: dict[str, Any] = field(default_factory=dict)
    sha256: str | None = None
    error: dict[str, Any] | None = None
    lease_token: str | None = None
    lease_until: float = 0.0
    rev: int = 1
    schema: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One chunk of an upload: claimed (`writing`), then `received` for ever. `receipt` is what the storage answered
    (an ETag).
    """

    id: str
    upload_id: str
    index: int
    state: ChunkState
    token: str
    lease_until: float
    sha256: str | None = None
    length: int = 0
    receipt: str | None = None
    rev: int = 1
    schema: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """What users see. `rev` grows with every change, `metadata_rev` with title, description, tags, visibility only.

    `generation` is the published one (0: none); `published` tells what it holds (see `services/publishing.py`).
    `next_generation` is the newest that was ever started, its job is `job_id`.
    """

    id: str
    owner: str
    upload_id: str
    filename: str
    title: str
    description: str
    visibility: Visibility
    state: AssetState
    created_at: float
    updated_at: float
    tags: list[str] = field(default_factory=list)
    playable: bool = False
    profile: str | None = None
    content_type: str | None = None
    size_bytes: int = 0
    sha256: str | None = None
    original_key: str | None = None
    duration_seconds: float | None = None
    media: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    generation: int = 0
    next_generation: int = 0
    job_id: str | None = None
    published: dict[str, Any] | None = None
    deleted_at: float | None = None
    acl_epoch: int = 1
    metadata_rev: int = 1
    rev: int = 1
    schema: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The whole work of one generation of an asset."""

    id: str
    asset_id: str
    owner: str
    generation: int
    profile: str | None
    state: WorkState
    created_at: float
    updated_at: float
    finished_at: float | None = None
    error: dict[str, Any] | None = None
    media: dict[str, Any] | None = None
    plan: dict[str, Any] | None = None
    rev: int = 1
    schema: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A unit of work small enough to retry. `attempt` is the fencing token: it grows with each claim, every write
    filters on it.

    `ready` is set when all `needs` (task names of the same job) are done. `failures` counts attempts that did not end
    gracefully. `weight` is the expected cost, for progress. `optional` tasks may fail without harming the job.
    """

    id: str
    job_id: str
    asset_id: str
    owner: str
    generation: int
    name: str
    stage: Stage
    state: WorkState
    created_at: float
    updated_at: float
    step: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    needs: list[str] = field(default_factory=list)
    ready: bool = False
    optional: bool = False
    load_units: int = 1
    weight: float = 1.0
    priority: int = 0
    attempt: int = 0
    failures: int = 0
    not_before: float = 0.0
    lease_until: float = 0.0
    worker: str | None = None
    progress: float = 0.0
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    started_at: float | None = None
    finished_at: float | None = None
    rev: int = 1
    schema: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginCode:
    """A one-time login link's code. `id` is the SHA-256 of the code: the code itself is kept nowhere."""

    id: str
    user: str
    role: str
    created_at: float
    expires_at: float
    used_at: float | None = None
    rev: int = 1
    schema: int = SCHEMA_VERSION
