"""Small helpers of the storage plugins' tests."""

from __future__ import annotations

from pathlib import Path

from mediaflow.plugin import Storage
from mediaflow.testing.bodies import blocks_of

KIND = "video/mp4"
S3_SETTINGS = {"s3_access_key": "AK", "s3_secret_key": "very-secret", "s3_region": "", "s3_create_bucket": True}


def put(storage: Storage, key: str, data: bytes) -> None:
    storage.put(key, blocks_of(data), size_bytes=len(data), content_type=KIND)


def read(storage: Storage, key: str) -> bytes:
    return b"".join(storage.read(key))


def files_below(path: Path) -> list[str]:
    return sorted(str(found.relative_to(path)) for found in path.rglob("*") if found.is_file())
