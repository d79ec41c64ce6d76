"""Files that are refused when all of them has come, for what their clients said of them."""

from __future__ import annotations

from mediaflow.domain.errors import MediaflowError
from mediaflow.domain.events import Event
from mediaflow.domain.records import Upload
from mediaflow.domain.states import UPLOAD_RECEIVING
from mediaflow.domain.telling import error_document
from mediaflow.services.pipeline.tenure import leftovers
from mediaflow.services.ports import OneOf
from mediaflow.services.uploads.ingest import Ingest


def refuse(ingest: Ingest, upload: Upload, error: MediaflowError) -> None:
    """End a receiving upload as failed, and its asset with it; the bytes go. May be repeated."""
    database, outbox, now = ingest.database, ingest.outbox, ingest.database.now()
    document = error_document(error)
    changes = {"state": "failed", "error": document, "updated_at": now}
    # the asset first: who dies in between refuses once more
    gone = Event("asset.failed", now, upload.owner, upload.asset_id, data=document)
    outbox.change(database.assets, upload.asset_id, {"state": "created"}, changes | leftovers(None, now), gone)
    told = Event("upload.failed", now, upload.owner, upload.asset_id, data={"upload_id": upload.id, **document})
    if outbox.change(database.uploads, upload.id, {"state": OneOf(UPLOAD_RECEIVING)}, changes, told) is None:
        return
    ingest.parts.abort_parts(upload.storage_key, upload.parts_handle)
    for chunk in database.chunks.find({"upload_id": upload.id}):
        database.chunks.remove(chunk.id)
    ingest.metrics.count("mediaflow_uploads_total", state="failed")
