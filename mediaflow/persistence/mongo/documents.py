"""MongoEngine's view of the records: one Document class for each dataclass of `domain/records.py`, field by field.

A test compares both, and the indexes with those of SQLite. None has the id in it: nx-27017 can't insert into such a
collection.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from mediaflow.domain.states import (
    AssetState,
    BlobState,
    ChunkState,
    JobKind,
    Stage,
    UploadState,
    Visibility,
    WorkState,
)
from mediaflow.persistence.listings import ASSET_LISTINGS, ASSET_LISTS, JOB_LISTINGS
from mediaflow.persistence.mongo.columns import Record, flag, integer, json, number, one_of, text


class UploadDocument(Record):
    """`domain.records.Upload` in MongoDB."""

    meta: ClassVar[dict[str, Any]] = {
        "collection": "uploads",
        "indexes": [("state", "expires_at"), ("state", "lease_until"), ("asset_id",)],
    }

    owner = text()
    asset_id = text()
    filename = text()
    content_type = text(null=True)
    size_bytes = integer()
    chunk_size_bytes = integer()
    chunk_count = integer()
    declared_sha256 = text(null=True)
    profile = text(null=True)
    dedup = text()
    auto_complete = flag()
    state = one_of(UploadState)
    storage_key = text()
    parts_handle = text()
    created_at = number()
    updated_at = number()
    expires_at = number()
    metadata = json()
    sha256 = text(null=True)
    error = json(null=True)
    lease_token = text(null=True)
    lease_until = number()


class ChunkDocument(Record):
    """`domain.records.Chunk` in MongoDB."""

    meta: ClassVar[dict[str, Any]] = {"collection": "chunks", "indexes": [("upload_id", "index")]}

    upload_id = text()
    index = integer()
    state = one_of(ChunkState)
    token = text()
    lease_until = number()
    sha256 = text(null=True)
    length = integer()
    receipt = text(null=True)


class AssetDocument(Record):
    """`domain.records.Asset` in MongoDB."""

    meta: ClassVar[dict[str, Any]] = {
        "collection": "assets",
        "indexes": [
            *ASSET_LISTINGS,
            ("state",),
            ("owner", "sha256"),
            ("purge_at",),
            ("sweep_at",),
            # of each element
            *((name,) for name in ASSET_LISTS),
        ],
    }

    owner = text()
    upload_id = text()
    filename = text()
    title = text()
    description = text()
    visibility = one_of(Visibility)
    state = one_of(AssetState)
    created_at = number()
    updated_at = number()
    tags = json()
    playable = flag()
    profile = text(null=True)
    content_type = text(null=True)
    size_bytes = integer()
    sha256 = text(null=True)
    original_key = text(null=True)
    duration_seconds = number(null=True)
    media = json(null=True)
    error = json(null=True)
    generation = integer()
    next_generation = integer()
    job_id = text(null=True)
    published = json(null=True)
    search = json()
    shared_with = json()
    captions = json()
    poster_seconds = number(null=True)
    deleted_at = number(null=True)
    purge_at = number(null=True)
    purging = flag()
    sweep_at = number(null=True)
    acl_epoch = integer()
    metadata_rev = integer()


class JobDocument(Record):
    """`domain.records.Job` in MongoDB."""

    meta: ClassVar[dict[str, Any]] = {"collection": "jobs", "indexes": [("asset_id",), ("state",), *JOB_LISTINGS]}

    asset_id = text()
    owner = text()
    generation = integer()
    profile = text(null=True)
    state = one_of(WorkState)
    created_at = number()
    updated_at = number()
    finished_at = number(null=True)
    error = json(null=True)
    media = json(null=True)
    plan = json(null=True)
    kind = one_of(JobKind)


class TaskDocument(Record):
    """`domain.records.Task` in MongoDB."""

    meta: ClassVar[dict[str, Any]] = {
        "collection": "tasks",
        "indexes": [
            ("state", "ready", "stage", "-priority", "created_at"),
            ("job_id",),
            ("state", "lease_until"),
        ],
    }

    job_id = text()
    asset_id = text()
    owner = text()
    generation = integer()
    name = text()
    stage = one_of(Stage)
    state = one_of(WorkState)
    created_at = number()
    updated_at = number()
    step = text(null=True)
    params = json()
    needs = json()
    ready = flag()
    optional = flag()
    load_units = integer()
    weight = number()
    priority = integer()
    attempt = integer()
    failures = integer()
    not_before = number()
    lease_until = number()
    worker = text(null=True)
    progress = number()
    result = json(null=True)
    error = json(null=True)
    started_at = number(null=True)
    finished_at = number(null=True)


class LoginCodeDocument(Record):
    """`domain.records.LoginCode` in MongoDB."""

    meta: ClassVar[dict[str, Any]] = {"collection": "login_codes", "indexes": [("expires_at",)]}

    user = text()
    role = text()
    created_at = number()
    expires_at = number()
    used_at = number(null=True)
    scopes = json(null=True)
    credential = text(null=True)


class BlobDocument(Record):
    """`domain.records.Blob` in MongoDB."""

    meta: ClassVar[dict[str, Any]] = {"collection": "blobs", "indexes": [("state",)]}

    owner = text()
    sha256 = text()
    key = text()
    size_bytes = integer()
    state = one_of(BlobState)
    created_at = number()
    assets = json()


class ApiKeyDocument(Record):
    """`domain.records.ApiKey` in MongoDB."""

    meta: ClassVar[dict[str, Any]] = {"collection": "api_keys", "indexes": [("owner", "created_at")]}

    owner = text()
    name = text()
    role = text()
    secret_hash = text()
    created_at = number()
    scopes = json()
    made_by = text(null=True)
    expires_at = number(null=True)
    last_used_at = number(null=True)
    revoked_at = number(null=True)


class AuditEntryDocument(Record):
    """`domain.records.AuditEntry` in MongoDB."""

    meta: ClassVar[dict[str, Any]] = {
        "collection": "audit",
        "indexes": [("at",), ("user", "at"), ("asset_id", "at")],
    }

    at = number()
    user = text()
    role = text()
    action = text()
    status = integer()
    request_id = text()
    address = text(null=True)
    credential = text(null=True)
    subject = text(null=True)
    asset_id = text(null=True)
    detail = json()


class AnswerDocument(Record):
    """`domain.records.Answer` in MongoDB."""

    meta: ClassVar[dict[str, Any]] = {"collection": "answers", "indexes": [("expires_at",)]}

    user = text()
    fingerprint = text()
    created_at = number()
    expires_at = number()
    status = integer(null=True)
    headers = json()
    body = text(null=True)


DOCUMENTS: Final[tuple[type[Record], ...]] = (
    UploadDocument,
    ChunkDocument,
    AssetDocument,
    JobDocument,
    TaskDocument,
    LoginCodeDocument,
    BlobDocument,
    ApiKeyDocument,
    AuditEntryDocument,
    AnswerDocument,
)
