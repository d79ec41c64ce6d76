"""The picture of a video, by a time in it."""

from __future__ import annotations

from typing import Any

from flask import Response
from marshmallow import ValidationError, fields, validate

from mediaflow.api.http.context import BASE, caller, runtime
from mediaflow.api.http.fields import Body
from mediaflow.api.http.resource import Resource
from mediaflow.api.resources.assets import asset_answer
from mediaflow.api.schemas.assets import AssetSchema

blueprint = Resource("poster", __name__, url_prefix=f"{BASE}/assets", description="Pictures of videos.")


class Seconds(fields.Float):
    """A time as a number of JSON, and nothing that could be read as one."""

    def _deserialize(self, value: Any, *arguments: Any, **options: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValidationError("must be a number of seconds")
        return super()._deserialize(value, *arguments, **options)


class PosterBody(Body):
    """Where in the video the picture is taken."""

    time_seconds = Seconds(
        required=True,
        validate=validate.Range(0, 86_400, error="must be {min} to {max}"),
        error_messages={
            "null": "must not be null",
            "required": "is required",
            "special": "must be a number of seconds",
        },
        metadata={"description": "From the start, as players count; within the duration.", "examples": [12.5]},
    )


@blueprint.operation("PUT", "/<id:asset_id>/poster", takes=PosterBody, gives={202: AssetSchema}, fails=(409,))
def choose_poster(body: dict[str, Any], asset_id: str) -> Response:
    """Take the picture of an asset from a moment of its video.

    A worker makes it; `thumbnail_url` shows the one before until then. The last choice wins, and stays when the asset
    is processed again. 409 while nothing is published, or when the original is gone.
    """
    return _accepted(asset_id, body["time_seconds"])


@blueprint.operation("DELETE", "/<id:asset_id>/poster", gives={202: AssetSchema}, fails=(409,))
def reset_poster(asset_id: str) -> Response:
    """Go back to the picture that is chosen automatically.

    A worker makes it anew. Repeating does no harm.
    """
    return _accepted(asset_id, None)


def _accepted(asset_id: str, time_seconds: float | None) -> Response:
    response = asset_answer(runtime().posters.choose(caller(), asset_id, time_seconds))
    response.status_code = 202
    return response
