"""Captions: WebVTT and SubRip files in, one in a language; players get them with the stream."""

from __future__ import annotations

from typing import Any, Final

from flask import request
from werkzeug.exceptions import UnsupportedMediaType

from mediaflow.api.http.bodies import blocks, body_slot
from mediaflow.api.http.context import BASE, caller, runtime
from mediaflow.api.http.resource import Resource
from mediaflow.api.schemas.captions import CaptionListSchema, CaptionQuery, CaptionSchema, caption_documents
from mediaflow.domain.records import Asset

blueprint = Resource("captions", __name__, url_prefix=f"{BASE}/assets", description="Captions and subtitles.")

TYPES: Final = ("text/vtt", "application/x-subrip", "text/plain")
_EXAMPLES: Final = {
    "text/vtt": {"example": "WEBVTT\n\n00:01.000 --> 00:04.000\nHello.\n"},
    "text/plain": {"example": "1\n00:00:01,000 --> 00:00:04,000\nHello.\n"},
}
_BODY: Final = {
    "required": True,
    "description": "The file, UTF-8, at most 512 KiB. Whether it is WebVTT or SubRip is seen from its content.",
    "content": {name: {"schema": {"type": "string"}, **_EXAMPLES.get(name, {})} for name in TYPES},
}


@blueprint.operation("GET", "/<id:asset_id>/captions", gives={200: CaptionListSchema})
def list_captions(asset_id: str) -> dict[str, Any]:
    """List an asset's captions.

    Those that were in the file are among them. Players find them in the manifest; the URLs here are for programs.
    """
    return {"items": _documents(runtime().captions.of(caller(), asset_id))}


@blueprint.operation(
    "PUT",
    "/<id:asset_id>/captions/<language:language>",
    query=CaptionQuery,
    gives={200: CaptionSchema, 201: CaptionSchema},
    fails=(400, 408, 409, 411, 413, 415, 422, 507),
    requestBody=_BODY,
)
def put_captions(query: dict[str, Any], asset_id: str, language: str) -> tuple[dict[str, Any], int]:
    """Add or replace the captions in a language.

    201 when there were none in it. Of the file only times, positions, text and its emphasis are kept; what is broken is
    refused with the line. The language may be `und`, if nobody knows it. `label` is the name in players' menus (the
    language's own name, when it is left out), and `default` captions are shown unasked, at most those of one language.
    Viewers get the change at once where something is published; it stays when the asset is processed again.
    """
    if request.mimetype not in TYPES:
        raise UnsupportedMediaType(f"Send the captions as one of {', '.join(TYPES)}.")
    with body_slot():
        asset, new = runtime().captions.put(
            caller(), asset_id, language, blocks(), label=query.get("label") or None, default=query["default"]
        )
    tag = runtime().captions.language(language)
    return next(caption for caption in _documents(asset) if caption["language"] == tag), 201 if new else 200


@blueprint.operation("DELETE", "/<id:asset_id>/captions/<language:language>", gives={204: None}, fails=(409,))
def delete_captions(asset_id: str, language: str) -> None:
    """Delete the captions in a language.

    The manifest is written anew without them; 404 when there are none in that language. Those that were in the file
    don't come back when the asset is processed again.
    """
    runtime().captions.remove(caller(), asset_id, language)


def _documents(asset: Asset) -> list[dict[str, Any]]:
    return caption_documents(asset, runtime().delivery.addresses(asset))
