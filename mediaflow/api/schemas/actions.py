"""What can be done with assets besides changing them: one at a time, or many."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, validates_schema

from mediaflow.api.http.errors import MISSING_FIELD
from mediaflow.api.http.fields import Body, Text, choice, inner, listed, matching, switch
from mediaflow.api.schemas.common import FaultSchema
from mediaflow.api.schemas.uploads import LONGEST_DESCRIPTION, LONGEST_NAME, tags_field, without_repeats
from mediaflow.domain.ids import ID_PATTERN
from mediaflow.domain.states import VISIBILITIES
from mediaflow.services.assets.bulk import ACTIONS, MOST_IDS, BulkRequest

MEMBERS: Final = ("changes", "tags", "profile")
NEEDED: Final = {"update": "changes", "add_tags": "tags", "remove_tags": "tags"}
"""What an action needs of them."""
OPTIONAL: Final = {"reprocess": "profile"}
"""What an action may have."""


def profile_field() -> Text:
    """A profile's name."""
    return Text(
        shortest=1,
        longest=100,
        allow_none=True,
        metadata={"description": "How it is encoded; null or absent: as it was the last time."},
    )


class DeleteQuery(Body):
    """How to delete."""

    purge = switch(
        load_default=False,
        metadata={"description": "Remove its files for good as soon as possible: it can't be restored."},
    )


class ReprocessBody(Body):
    """How to process the asset again. No body at all means the same as an empty object."""

    absent_is_empty = True

    profile = profile_field()
    renditions = listed(
        Text(shortest=1, longest=40),
        most=20,
        metadata={
            "description": "Names of the profile's sizes that are made from now on; empty: all. Left out: as before, "
            "or all if the profile is another one.",
            "examples": [["720p", "360p"]],
        },
    )


class BulkChangesBody(Body):
    """What becomes of each asset; what is not sent stays."""

    title = Text(shortest=1, longest=LONGEST_NAME)
    description = Text(longest=LONGEST_DESCRIPTION, lines=True)
    tags = tags_field()
    visibility = choice(*VISIBILITIES)

    @validates_schema
    def _something(self, data: dict[str, Any], **_: Any) -> None:
        if not data:
            raise ValidationError("must change something")


class BulkBody(Body):
    """An action and the assets that it is for.

    `update` needs `changes`, `add_tags` and `remove_tags` need `tags`, `reprocess` takes a `profile`; no action takes
    what is another's.
    """

    action = choice(*ACTIONS, required=True, metadata={"description": "What to do with each asset."})
    ids = listed(
        matching(ID_PATTERN.strip("^$"), "must be an id: 32 digits 0-9 and a-f"),
        least=1,
        most=MOST_IDS,
        required=True,
        validate=lambda ids: _unique(ids),
        metadata={"uniqueItems": True, "description": "The assets, each once."},
    )
    changes = inner(BulkChangesBody)
    tags = tags_field()
    profile = profile_field()

    @validates_schema
    def _fitting(self, data: dict[str, Any], **_: Any) -> None:
        action = data.get("action", "")
        needed = NEEDED.get(action)
        if needed and not data.get(needed):
            raise ValidationError({needed: [MISSING_FIELD]})
        for name in MEMBERS:
            if name in data and name not in (needed, OPTIONAL.get(action)):
                raise ValidationError({name: [f"does not belong to the action {action}"]})


def bulk_variants() -> list[dict[str, Any]]:
    """What `BulkBody` checks, as JSON Schemas of which a body meets exactly one."""
    return [_variant(action, NEEDED.get(action), OPTIONAL.get(action)) for action in ACTIONS]


def _variant(action: str, needed: str | None, optional: str | None) -> dict[str, Any]:
    members: dict[str, Any] = {name: False for name in MEMBERS if name not in (needed, optional)}
    if needed == "tags":
        members["tags"] = {"minItems": 1}
    required = ["action", "ids", *([needed] if needed else [])]
    return {"title": action, "properties": {"action": {"const": action}, **members}, "required": required}


def bulk_request(body: dict[str, Any]) -> BulkRequest:
    """The request of a checked body."""
    changes = dict(body.get("changes") or {})
    if "tags" in changes:
        changes["tags"] = without_repeats(changes["tags"])
    return BulkRequest(
        action=body["action"],
        ids=tuple(body["ids"]),
        changes=changes,
        tags=tuple(body.get("tags") or ()),
        profile=body.get("profile"),
    )


class BulkResultSchema(Schema):
    """What came of one asset."""

    id = fields.String(required=True)
    status = fields.Integer(
        required=True,
        metadata={"description": "The HTTP status that this asset alone would have got.", "examples": [200, 404]},
    )
    error = fields.Nested(FaultSchema, required=True, allow_none=True)


class BulkResultsSchema(Schema):
    """What came of each asset, in the order of the request's ids."""

    results = fields.List(fields.Nested(BulkResultSchema), required=True)


def _unique(ids: list[str]) -> None:
    if len(set(ids)) < len(ids):
        twice = next(each for each in ids if ids.count(each) > 1)
        raise ValidationError(f"{twice} is there twice")
