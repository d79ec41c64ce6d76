"""Where somebody is signed in, and ending it from elsewhere."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from mediaflow.api.http.auth import shown_cookie
from mediaflow.api.http.context import BASE, caller, web
from mediaflow.api.http.fields import Body, Timestamp
from mediaflow.api.http.resource import Resource
from mediaflow.api.schemas.common import PageQuery, PageSchema, page_document
from mediaflow.domain.credentials import LoginCode
from mediaflow.services.access.names import MAX_USER_CHARACTERS

blueprint = Resource("sessions", __name__, url_prefix=f"{BASE}/sessions", description="Browsers that are signed in.")


def _user() -> fields.String:
    return fields.String(
        validate=validate.Length(1, MAX_USER_CHARACTERS, error="must have {min} to {max} characters"),
        metadata={"description": "For admins: whose; one's own when left out.", "examples": ["ann"]},
    )


class SessionListQuery(PageQuery):
    """Whose sessions, newest first."""

    user = _user()


class EndSessionsQuery(Body):
    """Whose sessions."""

    user = _user()


class OpenSessionSchema(Schema):
    """A browser that is signed in. `current` is the one that asks."""

    id = fields.String(required=True, metadata={"pattern": "^[0-9a-f]{32}$"})
    user = fields.String(required=True, metadata={"examples": ["ann"]})
    created_at = Timestamp(required=True)
    expires_at = Timestamp(required=True)
    current = fields.Boolean(required=True)
    agent = fields.String(required=True, allow_none=True, metadata={"description": "What the browser says that it is."})
    address = fields.String(
        required=True, allow_none=True, metadata={"description": "From where it signed in.", "examples": ["192.0.2.7"]}
    )


class SessionPageSchema(PageSchema):
    """A page of sessions."""

    items = fields.List(fields.Nested(OpenSessionSchema), required=True)


class EndedSchema(Schema):
    """How many."""

    ended = fields.Integer(required=True, metadata={"minimum": 0, "examples": [2]})


@blueprint.operation("GET", "", query=SessionListQuery, gives={200: SessionPageSchema})
def list_sessions(query: dict[str, Any]) -> dict[str, Any]:
    """List sessions that have not ended.

    Newest first: your own, for an admin with `user` somebody's. A session is a browser that is signed in.
    """
    found = web().sessions.page(caller(), query.get("user"), query["page"], query["page_size"])
    return page_document(found, _document)


@blueprint.operation("DELETE", "", query=EndSessionsQuery, gives={200: EndedSchema}, scope="keys:write")
def end_sessions(query: dict[str, Any]) -> dict[str, Any]:
    """End all sessions of a user.

    One's own, or for admins those of the `user` that is named; the one that asks goes on.
    """
    return {"ended": web().sessions.end_all(caller(), query.get("user"), but=shown_cookie())}


@blueprint.operation("DELETE", "/<id:session_id>", gives={204: None}, scope="keys:write")
def end_session(session_id: str) -> None:
    """End a session.

    Its browser is signed out with its next request.
    """
    web().sessions.end(caller(), session_id)


def _document(session: LoginCode) -> dict[str, Any]:
    told = {name: getattr(session, name) for name in OpenSessionSchema().fields if name != "current"}
    secret = shown_cookie()
    return {**told, "current": secret is not None and web().sessions.id_of(secret) == session.id}
