"""Where an asset plays."""

from __future__ import annotations

from typing import Any

from mediaflow.api.http.context import BASE, caller_if_any, runtime
from mediaflow.api.http.resource import Resource
from mediaflow.api.schemas.playback import PlaybackSchema, playback_document

blueprint = Resource("playback", __name__, url_prefix=f"{BASE}/assets", description="Watching.")


@blueprint.operation(
    "POST", "/<id:asset_id>/playback", gives={200: PlaybackSchema}, access="optional", scope="assets:read"
)
def start_playback(asset_id: str) -> dict[str, Any]:
    """Get the URLs to play an asset.

    Public and unlisted assets need no token. What there is not (yet) is null.
    """
    return playback_document(runtime().delivery.playback(caller_if_any(), asset_id))
