"""Imports: files that the service fetches itself."""

from __future__ import annotations

from typing import Any

from mediaflow.api.http.context import BASE, caller, runtime
from mediaflow.api.http.resource import Resource
from mediaflow.api.schemas.common import fault_document
from mediaflow.api.schemas.imports import ImportSchema, NewImportBody
from mediaflow.api.schemas.uploads import new_upload
from mediaflow.services.imports.imports import Progress

blueprint = Resource("imports", __name__, url_prefix=f"{BASE}/imports", description="Files that are fetched.")


@blueprint.operation("POST", "", takes=NewImportBody, gives={202: ImportSchema}, fails=(422,), scope="uploads:write")
def create_import(body: dict[str, Any]) -> dict[str, Any]:
    """Have a file fetched from an address.

    Workers do it, at once if they have room; what breaks off goes on where it was. Addresses inside of this network are
    refused, and those that lead there.
    """
    owner = caller().user
    asked = runtime().imports.begin(owner, body["url"], _said(body))
    return _document(runtime().imports.progress(owner, asked.id))


@blueprint.operation("GET", "/<id:import_id>", gives={200: ImportSchema}, fails=(404,), scope="uploads:write")
def get_import(import_id: str) -> dict[str, Any]:
    """How far an import is.

    Its id is that of its upload, by which it is given up. `error` is why it failed, or its upload did.
    """
    return _document(runtime().imports.progress(caller().user, import_id))


def _said(body: dict[str, Any]) -> dict[str, Any]:
    """What is said of the file, as a NewUpload without its size has it."""
    new = new_upload({**body, "filename": body.get("filename") or "", "size_bytes": 0, "auto_complete": False})
    return {
        "filename": new.filename,
        "content_type": new.content_type,
        "sha256": new.sha256,
        "profile": new.profile,
        "dedup": "link" if new.dedup == "reuse" else new.dedup,
        "title": new.title,
        "description": new.description,
        "tags": list(new.tags),
        "visibility": new.visibility,
    }


def _document(progress: Progress) -> dict[str, Any]:
    asked = progress.asked
    return {
        "upload_id": asked.upload_id,
        "asset_id": asked.asset_id,
        "url": asked.url,
        "state": progress.state,
        "received_bytes": progress.received_bytes,
        "size_bytes": progress.size_bytes,
        "attempts": asked.attempts,
        "created_at": asked.created_at,
        "next_attempt_at": asked.not_before if progress.state == "waiting" else None,
        "error": fault_document(progress.error),
    }
