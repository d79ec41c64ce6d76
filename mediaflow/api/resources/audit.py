"""The audit log: what is written around every request, and how admins read it."""

from __future__ import annotations

from typing import Any, Final, cast

from flask import Response, current_app, g, request

from mediaflow.api.http.auth import READING
from mediaflow.api.http.context import BASE, caller_if_any, request_id, runtime
from mediaflow.api.http.idempotency import was_replayed
from mediaflow.api.http.limiting import SIGNING_IN, shows_credential
from mediaflow.api.http.resource import Resource, operation_id
from mediaflow.api.schemas.audit import AuditPageSchema, AuditQuerySchema, audit_document
from mediaflow.api.schemas.common import page_document
from mediaflow.domain.ids import new_id
from mediaflow.domain.requestrecords import AuditEntry
from mediaflow.services.access.principals import Principal
from mediaflow.services.requests.audit import AuditQuery
from mediaflow.services.text.plain import sanitised

blueprint = Resource("audit", __name__, url_prefix=f"{BASE}/audit", description="Who did what; for admins.")

UNTOLD: Final = ("uploads.put_chunk",)
"""Endpoints that change something a thousand times for one thing that somebody did."""
SUBJECTS: Final = ("asset_id", "upload_id", "job_id", "key_id", "session_id", "webhook_id")
MOST_FIELDS: Final = 30
LONGEST_NAME: Final = 64


@blueprint.operation("GET", "", query=AuditQuerySchema, gives={200: AuditPageSchema}, admin=True)
def list_audit(query: dict[str, Any]) -> dict[str, Any]:
    """List who did what, newest first.

    Every operation that changes something is here, done or refused, and every refused credential (those of one address
    and kind within a minute in one entry, with their `count`); chunks of uploads, and what only reads, are not.
    """
    return page_document(runtime().audit.page(AuditQuery(**query)), audit_document)


def note(*, subject: str | None = None, asset_id: str | None = None, **facts: Any) -> None:
    """Add to the entry of this request, from within a view: what it was done to, small facts that are no secrets."""
    noted = g.setdefault("audit", {"facts": {}})
    noted["facts"].update(facts)
    noted.update({name: value for name, value in (("subject", subject), ("asset_id", asset_id)) if value})


def audit_request(response: Response) -> None:
    """Write the entry of a request that changed something, or whose credential was refused. Never raises."""
    principal = cast("Principal | None", g.get("signed_in") or caller_if_any())
    if not _is_told(response.status_code, principal):
        return
    if principal is None:
        kind = _action() if request.endpoint in SIGNING_IN else "token"
        runtime().audit.record_refused(request.remote_addr or "", kind, lambda: _entry(response, None))
    else:
        runtime().audit.record(lambda: _entry(response, principal))


def _entry(response: Response, principal: Principal | None) -> AuditEntry:
    noted = g.get("audit", {"facts": {}})
    subjects = _subjects(response)
    return AuditEntry(
        id=new_id(),
        at=runtime().database.now(),
        user=principal.user if principal else "",
        role=principal.role if principal else "",
        credential=principal.credential if principal else None,
        action=_action(),
        status=response.status_code,
        request_id=request_id(),
        address=(request.remote_addr or "")[:LONGEST_NAME] or None,
        subject=noted.get("subject") or next((subjects[name] for name in SUBJECTS[::-1] if name in subjects), None),
        asset_id=noted.get("asset_id") or subjects.get("asset_id"),
        detail={**_detail(response), **noted["facts"]},
    )


def _is_told(status: int, principal: Principal | None) -> bool:
    if request.endpoint is None or request.endpoint in UNTOLD or was_replayed():
        return False
    if principal is None:
        return status == 401 and shows_credential()
    return request.method not in READING or "signed_in" in g


def _action() -> str:
    view = current_app.view_functions[request.endpoint or ""]
    return operation_id(view) or f"{request.method} {request.endpoint}"


def _subjects(response: Response) -> dict[str, str]:
    """Ids that the request's path names, or else the answer."""
    told = response.get_json(silent=True) if response.is_json and response.status_code < 400 else None
    found = {**told, **(request.view_args or {})} if isinstance(told, dict) else dict(request.view_args or {})
    return {name: found[name] for name in SUBJECTS if isinstance(found.get(name), str)}


def _detail(response: Response) -> dict[str, Any]:
    if response.status_code >= 400:
        document = response.get_json(silent=True) if response.is_json else None
        return {"code": document["code"]} if isinstance(document, dict) and "code" in document else {}
    body = request.get_json(silent=True) if request.is_json else None
    if not isinstance(body, dict) or not body:
        return {}
    return {"fields": [sanitised(name[:LONGEST_NAME]) for name in sorted(body)[:MOST_FIELDS]]}
