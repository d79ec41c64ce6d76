"""Captions, as the API shows them."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from mediaflow.api.http.context import absolute
from mediaflow.api.http.fields import Body, Text, switch
from mediaflow.domain.records import Asset
from mediaflow.services.delivery.delivery import Playback
from mediaflow.services.text.captionlimits import LARGEST_BYTES, LONGEST_LABEL, MOST_LANGUAGES


class CaptionQuery(Body):
    """What players show of captions."""

    label = Text(longest=LONGEST_LABEL)
    default = switch(load_default=False)


class CaptionSchema(Schema):
    """Captions in one language."""

    language = fields.String(
        required=True, metadata={"description": "BCP 47, in canonical form.", "examples": ["en", "pt-BR"]}
    )
    label = fields.String(
        required=True, metadata={"description": "Its name in players' menus.", "examples": ["English"]}
    )
    default = fields.Boolean(required=True, metadata={"description": "Whether players show it unasked."})
    size_bytes = fields.Integer(required=True, metadata={"maximum": 8 * LARGEST_BYTES})
    url = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The WebVTT file that players get; null until the asset is published."},
    )


class CaptionListSchema(Schema):
    """All captions of an asset."""

    items = fields.List(fields.Nested(CaptionSchema), required=True, metadata={"maxItems": MOST_LANGUAGES})


def caption_documents(asset: Asset, playback: Playback | None) -> list[dict[str, Any]]:
    """The asset's captions as the schema has them; without `playback` (a deleted one) without addresses."""
    return [
        {
            **{name: caption[name] for name in ("language", "label", "default", "size_bytes")},
            "url": absolute(playback.first("captions", caption["language"])) if playback else None,
        }
        for caption in asset.captions
    ]
