"""The audit log, as admins read it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from marshmallow import Schema, fields

from mediaflow.api.http.fields import Moment, Text, Timestamp, matching
from mediaflow.api.schemas.common import PageQuery, PageSchema
from mediaflow.domain.requestrecords import AuditEntry


class AuditQuerySchema(PageQuery):
    """Which entries."""

    user = Text(longest=200, metadata={"description": "Only what this user did."})
    action = matching(
        "[A-Za-z0-9_.]{1,100}", "must be an operation's id", metadata={"description": "Only this operation's id."}
    )
    asset_id = matching("[0-9a-f]{32}", "must be an id", metadata={"description": "Only what was done to this asset."})
    created_after = Moment(metadata={"description": "From this time on."})
    created_before = Moment(metadata={"description": "Before this time."})


class AuditEntrySchema(Schema):
    """One thing that somebody did, or tried."""

    id = fields.String(required=True)
    at = Timestamp(required=True, metadata={"description": "When it was answered."})
    user = fields.String(required=True, metadata={"description": "Empty when the credential was refused."})
    role = fields.String(required=True, metadata={"description": "`user`, `admin`, or empty for nobody."})
    credential = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Which credential was shown.", "examples": ["jwt", "session"]},
    )
    action = fields.String(
        required=True, metadata={"description": "The operation's id in this document.", "examples": ["updateAsset"]}
    )
    subject = fields.String(required=True, allow_none=True, metadata={"description": "The id that it was done to."})
    asset_id = fields.String(required=True, allow_none=True)
    status = fields.Integer(required=True, metadata={"description": "HTTP status of the answer.", "examples": [200]})
    request_id = fields.String(required=True)
    address = fields.String(required=True, allow_none=True, metadata={"description": "The client's IP address."})
    detail = fields.Dict(
        required=True,
        metadata={
            "description": "Small facts: the `fields` that were sent (names, never values), the `code` of an error, "
            "the `count` of refused credentials that one entry stands for (1 when it is not there).",
            "examples": [{"fields": ["title", "visibility"]}],
        },
    )


class AuditPageSchema(PageSchema):
    """A page of the log, newest first."""

    items = fields.List(fields.Nested(AuditEntrySchema), required=True)


def audit_document(entry: AuditEntry) -> dict[str, Any]:
    """An entry as it is told."""
    return asdict(entry)
