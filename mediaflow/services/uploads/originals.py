"""Originals of large files: hashed while the job runs, and put among the shared ones before it publishes.

Hashing takes seconds a gigabyte, and the first picture waits for nothing. So the last byte of a large file starts its
job at once. An asset then is in one of these states, and whatever dies, the next job goes on from there:

* *arrived*: `sha256` is None, `original_key` is where the upload arrived. No blob lists it. Each job has the task
  `digest`, beside what makes segments, and the task `settle` behind it and behind everything that reads the original.
* *hashed*: `sha256` is known and is the declared one, if one was declared; the original is on its way to its blob. Only
  `settle` touches it. A job that finds its asset so settles it first. A task of demand that opens it in the moment when
  it moves fails once, and finds it where it is then.
* *settled*: `original_key` is the blob's, which lists the asset. `publish` waits for it: what is `ready` is settled.

A file that is not what was declared ends all of it: the upload is `failed`, the job cancelled, and the asset failed in
the write that takes away what viewers began with. Nobody's original is left; `services/upkeep/generations.py` removes
the bytes when the last child that reads them is dead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from mediaflow.domain import keys
from mediaflow.domain.errors import InvalidInput, LeaseLost, TaskFailed
from mediaflow.domain.events import Event
from mediaflow.domain.records import Asset, Task, Upload
from mediaflow.domain.telling import error_document
from mediaflow.plugin import CopiesObjects, Storage
from mediaflow.services.originals.places import OriginalFiles
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.pipeline.lease import Lease
from mediaflow.services.pipeline.taskdocs import TaskDocuments, original_of
from mediaflow.services.ports import Database, Metrics, OneOf
from mediaflow.services.uploads.blobs import Blobs


@dataclass(frozen=True, slots=True)
class Originals:
    """The tasks `digest` and `settle`. Each can be repeated."""

    database: Database
    storage: Storage
    files: OriginalFiles
    jobs: Jobs
    blobs: Blobs
    documents: TaskDocuments
    metrics: Metrics

    def digest(self, task: Task, lease: Lease) -> dict[str, Any]:
        """Hash the original and compare it with what was declared. LeaseLost when that ended the job."""
        asset = self.documents.asset(task)
        upload = self.database.uploads.get(asset.upload_id)
        if upload is None:
            raise TaskFailed("The upload of the asset is not there.", code="job.no_original")
        if upload.state == "failed":  # whoever found that out died
            raise self._refused(task, asset, upload, upload.error or {})
        read = 0

        def on_block(size: int) -> None:
            nonlocal read
            if (reason := lease.reason()) is not None:
                raise LeaseLost(reason)
            lease.progress((read := read + size) / max(1, asset.size_bytes))

        try:
            sha256 = hashed(self.files, original_of(asset), asset.size_bytes, on_block)
            check_declared(upload, sha256)
        except InvalidInput as error:
            raise self._refused(task, asset, upload, error_document(error)) from error
        changes = {"sha256": sha256, "updated_at": self.database.now()}
        self.database.uploads.change(upload.id, {"sha256": None}, changes)
        self.database.assets.change(asset.id, {"job_id": task.job_id, "original_key": asset.original_key}, changes)
        return {"sha256": sha256}

    def _refused(self, task: Task, asset: Asset, upload: Upload, error: dict[str, Any]) -> LeaseLost:
        """End everything that was begun with a file that is not the right one; what the task is given up with."""
        now, outbox = self.database.now(), self.jobs.outbox
        failed = {"state": "failed", "error": error, "updated_at": now}
        told = Event("upload.failed", now, upload.owner, asset.id, data={"upload_id": upload.id, **error})
        if outbox.change(self.database.uploads, upload.id, {"state": OneOf(("stored", "queued"))}, failed, told):
            self.metrics.count("mediaflow_uploads_total", state="failed")
        self.jobs.end(self.documents.job(task), "cancelled", error)
        disown(self.database, asset)
        return LeaseLost("the file is not what was declared")

    def settle(self, task: Task, _lease: Lease) -> dict[str, Any]:
        """Put a hashed original among those that the owner's assets share. Nobody reads it meanwhile."""
        asset = self.documents.asset(task)
        arrived = keys.upload_key(asset.upload_id)
        if asset.original_key != arrived:
            return {}
        if asset.sha256 is None:
            raise TaskFailed("The original is not hashed yet.", code="job.no_digest")
        key = self.blobs.link(asset.owner, asset.sha256, asset.id, asset.size_bytes)
        put_in_place(self.storage, arrived, key, asset.size_bytes)
        expect = {"original_key": arrived, "sha256": asset.sha256, "purging": False}
        changes = {"original_key": key, "updated_at": self.database.now()}
        if self.database.assets.change(asset.id, expect, changes) is None:
            now = self.database.assets.peek(asset.id, ("original_key", "purging"))
            if now is None or now["purging"]:
                self.blobs.unlink(replace(asset, original_key=key))
                raise LeaseLost("the asset was purged meanwhile")
        return {}


def disown(database: Database, asset: Asset) -> bool:
    """Take a refused file from the asset that failed with it, so that no job begins with it again."""
    ended = OneOf(("failed", "rejected"))  # a plugin may have refused it before
    expect = {"state": ended, "generation": 0, "original_key": keys.upload_key(asset.upload_id)}
    return database.assets.change(asset.id, expect, {"original_key": None, "sha256": None}) is not None


def hashed(storage: Storage | OriginalFiles, key: str, size_bytes: int, on_block: Callable[[int], None]) -> str:
    """The SHA-256 of an object of that size; InvalidInput (`upload.size_mismatch`) when it has another one."""
    digest, count = hashlib.sha256(), 0
    for block in storage.read(key):
        digest.update(block)
        count += len(block)
        on_block(len(block))
    if count != size_bytes:
        raise InvalidInput(f"{count} of {size_bytes} bytes are stored.", code="upload.size_mismatch")
    return digest.hexdigest()


def check_declared(upload: Upload, sha256: str) -> None:
    """InvalidInput when the sender declared another digest."""
    if upload.declared_sha256 not in (None, sha256):
        raise InvalidInput(
            f"The file's SHA-256 is {sha256}, but {upload.declared_sha256} was declared.",
            code="upload.checksum_mismatch",
        )


def is_in_place(storage: Storage, key: str, size_bytes: int) -> bool:
    """True when an object of that size is there."""
    found = storage.stat(key)
    return found is not None and found.size_bytes == size_bytes


def put_in_place(storage: Storage, source: str, target: str, size_bytes: int) -> None:
    """Have the object at its target only, whoever brought it there."""
    if is_in_place(storage, target, size_bytes):
        storage.delete(source)
    elif isinstance(storage, CopiesObjects):
        storage.move(source, target)
    else:
        blocks = storage.read(source)
        storage.put(target, blocks, size_bytes=size_bytes, content_type="application/octet-stream")
        storage.delete(source)
