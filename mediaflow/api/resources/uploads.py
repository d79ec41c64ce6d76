"""Uploads: announce a file, send its chunks in any order, complete."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import request, url_for

from mediaflow.api.http.bodies import blocks, body_slot, sha256_digest
from mediaflow.api.http.context import BASE, absolute, caller, runtime
from mediaflow.api.http.resource import Resource
from mediaflow.api.schemas.common import fault_document
from mediaflow.api.schemas.uploads import (
    ChunkSchema,
    CompletedSchema,
    DirectPartListSchema,
    NewUploadBody,
    PartsQuery,
    UploadSchema,
    UploadStatusSchema,
    new_upload,
)
from mediaflow.domain.records import Upload
from mediaflow.services.uploads.direct import SECONDS

blueprint = Resource("uploads", __name__, url_prefix=f"{BASE}/uploads", description="Files on their way in.")

_RAW_BODY = {
    "required": True,
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}
_DIGEST_HEADER = {
    "in": "header",
    "name": "Content-Digest",
    "required": False,
    "description": "RFC 9530, `sha-256=:<base64>:` of the chunk's bytes.",
    "schema": {"type": "string"},
}


@blueprint.operation(
    "POST", "", takes=NewUploadBody, gives={201: UploadSchema, 200: UploadSchema}, fails=(507,), scope="uploads:write"
)
def create_upload(body: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Announce a file.

    200 instead of 201 when `dedup` is `reuse` and an existing asset has these bytes. `deduplicated`: nothing needs to
    be sent, for an asset of the same owner has the declared `sha256`.
    """
    upload, reused = runtime().ingest.announce(caller().user, new_upload(body))
    return {**_document(upload), "deduplicated": reused or upload.shared}, 200 if reused else 201


@blueprint.operation(
    "PUT",
    "/<id:upload_id>/chunks/<index:index>",
    gives={200: ChunkSchema},
    fails=(400, 408, 409, 422, 507),
    scope="uploads:write",
    requestBody=_RAW_BODY,
    parameters=[_DIGEST_HEADER],
)
def put_chunk(upload_id: str, index: int) -> dict[str, Any]:
    """Send one chunk.

    The body is the chunk's bytes and nothing else. Chunks may come in any order, in parallel, and again.
    """
    digest = sha256_digest(request.headers.get("Content-Digest"))
    with body_slot():
        receipt = runtime().ingest.receive(
            caller().user, upload_id, index, blocks(), content_length=request.content_length, digest=digest
        )
    return {
        "index": receipt.index,
        "received_bytes": receipt.received_bytes,
        "received_chunks": receipt.received_chunks,
        "chunk_count": receipt.chunk_count,
        "duplicate": receipt.duplicate,
    }


@blueprint.operation("GET", "/<id:upload_id>", gives={200: UploadStatusSchema}, scope="uploads:write")
def get_upload(upload_id: str) -> dict[str, Any]:
    """How far an upload is.

    `missing` tells which chunks to send (again); in the states `failed`, `expired` and `aborted` nothing more is taken.
    """
    status = runtime().ingest.status(caller().user, upload_id)
    upload = status.upload
    return {
        **_document(upload),
        "filename": upload.filename,
        "size_bytes": upload.size_bytes,
        "progress": round(status.progress, 4),
        "missing": [[first, last] for first, last in status.missing],
        "sha256": upload.sha256,
        "error": fault_document(upload.error),
    }


@blueprint.operation(
    "GET",
    "/<id:upload_id>/parts",
    query=PartsQuery,
    gives={200: DirectPartListSchema},
    fails=(409,),
    scope="uploads:write",
)
def list_parts(query: dict[str, Any], upload_id: str) -> dict[str, Any]:
    """Where to send the parts of a direct upload.

    Each URL takes one PUT of just these bytes, without credentials, straight to the storage; one that broke off is sent
    again. When all are `received`, complete the upload: what has another length is then named as missing.
    """
    upload = runtime().ingest.status(caller().user, upload_id).upload
    parts = runtime().ingest.direct.signed(upload, query["first"], query["count"])
    return {"items": [asdict(part) for part in parts], "expires_at": runtime().database.now() + SECONDS}


@blueprint.operation(
    "POST", "/<id:upload_id>/complete", gives={202: CompletedSchema}, fails=(409,), scope="uploads:write"
)
def complete_upload(upload_id: str) -> dict[str, Any]:
    """Say that everything was sent.

    Idempotent. 409 names the missing ranges of chunks in `missing`.
    """
    upload = runtime().ingest.complete(caller().user, upload_id)
    return {"asset_id": upload.asset_id, "state": upload.state}


@blueprint.operation("DELETE", "/<id:upload_id>", gives={204: None}, fails=(409,), scope="uploads:write")
def abort_upload(upload_id: str) -> None:
    """Give an upload up.

    Nothing of it is left behind, its asset neither. Repeating does no harm; 409 when the upload is complete already.
    """
    runtime().ingest.abort(caller().user, upload_id)


def _document(upload: Upload) -> dict[str, Any]:
    here = absolute(url_for("uploads.get_upload", upload_id=upload.id))
    return {
        "upload_id": upload.id,
        "asset_id": upload.asset_id,
        "chunk_size_bytes": upload.chunk_size_bytes,
        "chunk_count": upload.chunk_count,
        "state": upload.state,
        "expires_at": upload.expires_at,
        "links": {
            "self": here,
            "chunk": f"{here}/chunks/{{index}}",
            "parts": f"{here}/parts" if upload.direct else None,
            "complete": f"{here}/complete",
            "asset": absolute(f"{BASE}/assets/{upload.asset_id}"),
        },
    }
