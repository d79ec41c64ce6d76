"""API keys: credentials of programs, made and revoked by those whom they stand for."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from mediaflow.api.http.context import BASE, caller, runtime
from mediaflow.api.http.fields import Body, Moment, Text, Timestamp, choice, listed, switch, whole
from mediaflow.api.http.resource import Resource
from mediaflow.api.schemas.common import PageQuery, PageSchema, page_document
from mediaflow.domain.credentials import ApiKey
from mediaflow.domain.errors import Forbidden, InvalidInput, Problem
from mediaflow.services.access.names import MAX_USER_CHARACTERS
from mediaflow.services.access.principals import ROLES, SCOPES

blueprint = Resource("api-keys", __name__, url_prefix=f"{BASE}/api-keys", description="Credentials of programs.")

LONGEST_LIFE_SECONDS = 10 * 366 * 86400
EXAMPLE_KEY = "mfk_0f8b6a1c2d3e4f5061728394a5b6c7d8_" + "0" * 43


class ApiKeyListQuery(PageQuery):
    """Whose keys, newest first: one's own; an admin may name an `owner`, or ask for `all`."""

    owner = fields.String(
        validate=validate.Length(1, MAX_USER_CHARACTERS, error="must have {min} to {max} characters"),
        metadata={"description": "For admins: whose keys.", "examples": ["ann"]},
    )
    all = switch(load_default=False, metadata={"description": "For admins: everybody's keys."})


class NewApiKeyBody(Body):
    """A key to make. It opens what its maker's credential opens, or less."""

    name = Text(longest=100, shortest=1, required=True, metadata={"description": "What it is for.", "examples": ["CI"]})
    role = choice(*ROLES, load_default="user", metadata={"description": "`admin` for keys of admins only."})
    scopes = listed(
        choice(*SCOPES),
        least=1,
        most=len(SCOPES),
        metadata={
            "description": "What it opens; when left out, all that its maker's credential opens, but for "
            "`originals:read` and `keys:write`."
        },
    )
    expires_at = Moment(
        metadata={"description": "When it ends; after the installation's usual time (90 days) when left out."}
    )
    expires_in_seconds = whole(
        validate=validate.Range(1, LONGEST_LIFE_SECONDS, error="must be {min} to {max}"),
        metadata={"description": "The same, from now on."},
    )

    @validates_schema
    def one_end(self, data: dict[str, Any], **_: Any) -> None:
        """At most one of the two ends."""
        if "expires_at" in data and "expires_in_seconds" in data:
            raise ValidationError("must not be there together with expires_at", "expires_in_seconds")


class RevokeQuery(Body):
    """Whose keys."""

    user = fields.String(
        validate=validate.Length(1, MAX_USER_CHARACTERS, error="must have {min} to {max} characters"),
        metadata={"description": "For admins: whose; one's own when left out.", "examples": ["ann"]},
    )


class RevokedSchema(Schema):
    """How many."""

    revoked = fields.Integer(required=True, metadata={"minimum": 0, "examples": [3]})


class ApiKeySchema(Schema):
    """A key, without its secret. `last_used_at` may be a minute old."""

    id = fields.String(required=True, metadata={"pattern": "^[0-9a-f]{32}$"})
    owner = fields.String(required=True, metadata={"examples": ["ann"]})
    name = fields.String(required=True, metadata={"examples": ["CI"]})
    role = fields.String(required=True, metadata={"enum": list(ROLES)})
    scopes = fields.List(fields.String(metadata={"enum": list(SCOPES)}), required=True)
    created_at = Timestamp(required=True)
    expires_at = Timestamp(required=True, allow_none=True)
    last_used_at = Timestamp(required=True, allow_none=True)
    revoked_at = Timestamp(required=True, allow_none=True)


class NewApiKeySchema(ApiKeySchema):
    """A key that was just made."""

    key = fields.String(
        required=True,
        metadata={
            "description": "The key itself, for `Authorization: Bearer`. It is shown this once.",
            "examples": [EXAMPLE_KEY],
        },
    )


class ApiKeyPageSchema(PageSchema):
    """A page of keys."""

    items = fields.List(fields.Nested(ApiKeySchema), required=True)


@blueprint.operation("GET", "", query=ApiKeyListQuery, gives={200: ApiKeyPageSchema})
def list_api_keys(query: dict[str, Any]) -> dict[str, Any]:
    """List API keys.

    Revoked and expired ones too. Nobody can see a key's secret again.
    """
    owner, everybodys = query.get("owner"), query["all"]
    if (everybodys or owner not in (None, caller().user)) and not caller().is_admin:
        raise Forbidden("Only admins see others' keys.", code="auth.role")
    if everybodys and owner is not None:
        raise InvalidInput(
            "all: must not be there together with owner",
            problems=(Problem("request.invalid_field", "must not be there together with owner", "/all"),),
        )
    whose = None if everybodys else owner or caller().user
    return page_document(runtime().api_keys.page(whose, query["page"], query["page_size"]), _document)


@blueprint.operation(
    "POST", "", takes=NewApiKeyBody, gives={201: NewApiKeySchema}, fails=(409,), scope="keys:write", repeatable=False
)
def create_api_key(body: dict[str, Any]) -> dict[str, Any]:
    """Make an API key.

    The answer holds the key, which is shown this once and kept nowhere; `DELETE` revokes it. A key never opens more
    than the credential that makes it, and needs `keys:write` of it. Every key ends; the longest life is a setting of
    the installation. Repeating makes another one.
    """
    ends = {name: body[name] for name in ("expires_at", "expires_in_seconds") if name in body}
    key, text = runtime().api_keys.create(caller(), body["name"], role=body["role"], scopes=body.get("scopes"), **ends)
    return {**_document(key), "key": text}


@blueprint.operation("DELETE", "", query=RevokeQuery, gives={200: RevokedSchema}, scope="keys:write")
def revoke_api_keys(query: dict[str, Any]) -> dict[str, Any]:
    """Revoke all API keys of a user.

    One's own, or for admins those of the `user` that is named: what to do when a machine, or a person, was lost.
    """
    return {"revoked": runtime().api_keys.revoke_all(caller(), query.get("user"))}


@blueprint.operation("DELETE", "/<id:key_id>", gives={204: None}, scope="keys:write")
def revoke_api_key(key_id: str) -> None:
    """Revoke an API key.

    It opens nothing from now on, nor does any key that was made with it; they stay in the list with the time of their
    end. Repeating does no harm.
    """
    runtime().api_keys.revoke(caller(), key_id)


def _document(key: ApiKey) -> dict[str, Any]:
    return {name: getattr(key, name) for name in ApiKeySchema().fields} | {"expires_at": runtime().api_keys.end_of(key)}
