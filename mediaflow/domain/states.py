"""States. Each move from one to another is a compare-and-set on the state that it begins at."""

from __future__ import annotations

from typing import Final, Literal

UploadState = Literal["initialized", "receiving", "assembling", "stored", "queued", "failed", "expired", "aborted"]
ChunkState = Literal["writing", "received"]
AssetState = Literal["created", "stored", "processing", "ready", "failed", "rejected"]
WorkState = Literal["pending", "running", "done", "failed", "cancelled"]
Visibility = Literal["private", "unlisted", "public"]
Stage = Literal[
    "probe", "validate", "plan", "step", "open", "digest", "settle", "package", "publish", "poster", "original"
]
JobKind = Literal["process", "poster", "demand", "original"]
Lane = Literal["bookkeeping", "first", "short", "long"]
BlobState = Literal["live", "deleting"]

STAGES: Final[tuple[Stage, ...]] = (
    "probe",
    "validate",
    "plan",
    "step",
    "open",
    "digest",
    "package",
    "settle",
    "publish",
    "poster",
    "original",
)
"""`open` lets viewers begin while the rest is made. `digest` hashes a large original meanwhile, and `settle` puts it
among those that are shared (`services/uploads/originals.py`). `poster` ends a job of its own kind: it points a
published asset at a new picture. `original` is one, too: it brings the file where it is to be (`assets/keeping.py`).
"""
LANES: Final[tuple[Lane, ...]] = ("bookkeeping", "first", "short", "long")
VISIBILITIES: Final[tuple[Visibility, ...]] = ("private", "unlisted", "public")
ASSET_STATES: Final[tuple[AssetState, ...]] = ("created", "stored", "processing", "ready", "failed", "rejected")

UPLOAD_RECEIVING: Final[tuple[UploadState, ...]] = ("initialized", "receiving")
UPLOAD_COMPLETED: Final[tuple[UploadState, ...]] = ("assembling", "stored", "queued")
UPLOAD_ENDED: Final[tuple[UploadState, ...]] = ("failed", "expired", "aborted")

WORK_ACTIVE: Final[tuple[WorkState, ...]] = ("pending", "running")
WORK_ENDED: Final[tuple[WorkState, ...]] = ("done", "failed", "cancelled")

LONG_SECONDS: Final = 120.0
"""A job whose steps are expected to keep a core busy for longer than this is long, and so are its tasks (lane `long`),
but for those that are over soon, so that nobody waits behind it. Tasks without load units are `bookkeeping` and never
wait for a core; those that make what viewers begin with are `first`; the others are `short`.
"""
BRIEF_SECONDS: Final = 10.0
"""A task of a long job that is expected to take less is short all the same."""

LEASE_SECONDS: Final = 30.0
LEASE_RENEW_SECONDS: Final = 10.0
MAX_ATTEMPTS: Final = 5
