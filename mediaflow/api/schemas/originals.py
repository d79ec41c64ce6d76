"""Originals: where they are, and where they are to be."""

from __future__ import annotations

from marshmallow import Schema, fields

from mediaflow.api.http.fields import Body, choice
from mediaflow.services.assets.keeping import PLACES
from mediaflow.services.originals.states import ORIGINAL_STATES


class OriginalBody(Body):
    """Where the file of an asset is to be."""

    state = choice(*PLACES, required=True)


class OriginalSchema(Schema):
    """Where an asset's original is. null for those whom the asset is shared with."""

    state = fields.String(
        required=True,
        metadata={
            "enum": list(ORIGINAL_STATES),
            "description": "`linked`: it stays where it was found; `gone`: it is not there any more as it was.",
        },
    )
    wanted = fields.String(
        required=True, allow_none=True, metadata={"description": "Where it is to be; null: it stays where it is."}
    )
