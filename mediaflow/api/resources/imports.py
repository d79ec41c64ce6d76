"""Imports: files that the service fetches itself, and folders that it looks through."""

from __future__ import annotations

from typing import Any

from mediaflow.api.http.context import BASE, caller, runtime
from mediaflow.api.http.resource import Resource
from mediaflow.api.schemas.common import PageQuery, fault_document, page_document
from mediaflow.api.schemas.imports import ImportPageSchema, ImportSchema, NewImportBody
from mediaflow.api.schemas.uploads import new_upload
from mediaflow.domain.errors import Forbidden
from mediaflow.services.access.names import OUTSIDE_MARK, local_name
from mediaflow.services.access.principals import Principal
from mediaflow.services.imports.folders import COUNTS
from mediaflow.services.imports.imports import Progress

blueprint = Resource("imports", __name__, url_prefix=f"{BASE}/imports", description="Files that are fetched.")


@blueprint.operation("POST", "", takes=NewImportBody, gives={202: ImportSchema}, fails=(422,), scope="uploads:write")
def create_import(body: dict[str, Any]) -> dict[str, Any]:
    """Have a file fetched from an address, or (admins) all of a folder taken.

    Workers do it, at once if they have room; what breaks off goes on where it was. Addresses inside of this network are
    refused, and those that lead there. Of a folder each film becomes an asset, with the captions and the `.json` beside
    it; asked once more, what was taken is left alone.
    """
    principal = caller()
    if "folder" in body:
        asked = runtime().imports.begin_folder(_owner(principal, body), body["folder"], _options(body))
    else:
        asked = runtime().imports.begin(principal.user, body["url"], _said(body))
    return _document(runtime().imports.progress(principal, asked.id))


@blueprint.operation("GET", "", query=PageQuery, gives={200: ImportPageSchema}, scope="uploads:write")
def list_imports(query: dict[str, Any]) -> dict[str, Any]:
    """List imports, the newest first.

    Your own; an admin's list has everybody's.
    """
    found = runtime().imports.listed(caller(), query["page"], query["page_size"])
    return page_document(found, _document)


@blueprint.operation("GET", "/<id:import_id>", gives={200: ImportSchema}, fails=(404,), scope="uploads:write")
def get_import(import_id: str) -> dict[str, Any]:
    """How far an import is.

    That of a file has the id of its upload. `error` is why it failed, or its upload did; `counts` and `notes` are what
    was found in a folder at the last look.
    """
    return _document(runtime().imports.progress(caller(), import_id))


@blueprint.operation("DELETE", "/<id:import_id>", gives={204: None}, fails=(404,), scope="uploads:write")
def end_import(import_id: str) -> None:
    """End an import.

    What has come of a file goes; what was taken of a folder stays. Repeating does no harm.
    """
    runtime().imports.end(caller(), import_id)


def _owner(principal: Principal, body: dict[str, Any]) -> str:
    if not principal.is_admin:
        raise Forbidden("Folders are imported by admins; upload the files, or name an address.", code="auth.forbidden")
    owner: str = body.get("owner") or principal.user
    return owner if owner == principal.user or owner.startswith(OUTSIDE_MARK) else local_name(owner)


def _options(body: dict[str, Any]) -> dict[str, Any]:
    metadata = body.get("metadata") or {}
    flags = {name: body[name] for name in ("recursive", "link", "watch", "dry_run")}
    said = {name: metadata[name] for name in ("tags", "visibility") if metadata.get(name)}
    return {**flags, **said, "profile": body.get("profile")}


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
    is_folder = asked.kind == "folder"
    return {
        "id": asked.id,
        "owner": asked.owner,
        "upload_id": asked.upload_id or None,
        "asset_id": asked.asset_id or None,
        "url": None if is_folder else asked.url,
        "folder": asked.url if is_folder else None,
        "state": progress.state,
        "received_bytes": progress.received_bytes,
        "size_bytes": progress.size_bytes,
        "attempts": asked.attempts,
        "created_at": asked.created_at,
        "updated_at": asked.updated_at,
        "next_attempt_at": asked.not_before if progress.state == "waiting" else None,
        "counts": {name: asked.counts.get(name, 0) for name in (*COUNTS, "growing")} if is_folder else None,
        "notes": asked.notes,
        "notes_left_out": asked.counts.get("notes_left_out", 0),
        "error": fault_document(progress.error),
    }
