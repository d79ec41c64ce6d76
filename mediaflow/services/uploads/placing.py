"""Uploads that are there before anybody knows how large their files are: those that we fetch ourselves."""

from __future__ import annotations

from mediaflow.domain import keys
from mediaflow.domain.errors import LimitReached, NotFound
from mediaflow.domain.records import Upload
from mediaflow.services.uploads.acceptance import NewUpload, asset_of
from mediaflow.services.uploads.ingest import UNKNOWN, Ingest
from mediaflow.services.uploads.quotas import Quotas
from mediaflow.services.uploads.underway import Underway


def placed(ingest: Ingest, owner: str, new: NewUpload, upload_id: str, asset_id: str) -> Upload:
    """An upload without a size, and its asset. LimitReached when the owner has too much."""
    settings, now = ingest.settings, ingest.database.now()
    quotas = Quotas.of(ingest.database, settings, ingest.pause)
    underway = Underway.of(ingest.database, settings, ingest.pause)
    quotas.check(owner, 0)
    underway.check(owner, 0)
    upload = Upload(
        id=upload_id,
        owner=owner,
        asset_id=asset_id,
        filename=new.filename,
        content_type=new.content_type,
        size_bytes=0,
        chunk_size_bytes=ingest.acceptance.chunk_bytes(new),
        chunk_count=0,
        declared_sha256=new.sha256,
        profile=new.profile,
        dedup=new.dedup,
        auto_complete=False,
        counted_chunks=0,
        state="initialized",
        storage_key=keys.upload_key(upload_id),
        parts_handle="",
        created_at=now,
        updated_at=now,
        expires_at=now + settings.upload_expiry_seconds,
    )
    underway.admit(upload)
    try:
        quotas.admit(asset_of(upload, new, now))
    except LimitReached:
        ingest.database.uploads.remove(upload.id, {"state": "initialized"})
        raise
    ingest.metrics.count("mediaflow_uploads_total", state="initialized")
    ingest.outbox.tell(ingest.database.assets, asset_id)
    return upload


def sized(ingest: Ingest, upload_id: str, new: NewUpload) -> Upload:
    """The upload with the size of its file, ready for chunks. LimitReached when that is too much for its owner,
    NotFound when it has ended meanwhile.
    """
    upload = ingest.database.uploads.get(upload_id)
    if upload is None or upload.state != "initialized":
        raise NotFound("The upload has ended.", code="upload.not_receiving")
    if upload.chunk_count:
        return upload
    quotas = Quotas.of(ingest.database, ingest.settings, ingest.pause)
    quotas.check(upload.owner, new.size_bytes)
    chunk_size = ingest.acceptance.chunk_bytes(new)
    handle = ingest.parts.begin_parts(
        upload.storage_key, size_bytes=new.size_bytes, part_bytes=chunk_size, content_type=UNKNOWN
    )
    changes = {
        "size_bytes": new.size_bytes,
        "chunk_size_bytes": chunk_size,
        "chunk_count": -(-new.size_bytes // chunk_size),
        "parts_handle": handle,
        "updated_at": ingest.database.now(),
    }
    changed = ingest.database.uploads.change(upload.id, {"state": "initialized", "chunk_count": 0}, changes)
    if changed is None:
        ingest.parts.abort_parts(upload.storage_key, handle)
        return sized(ingest, upload_id, new)
    ingest.database.assets.change(upload.asset_id, {"state": "created"}, {"size_bytes": new.size_bytes})
    return ingest.sharing.shared(changed)
