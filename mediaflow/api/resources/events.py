"""What happens, as it happens: Server-Sent Events of everything of one's own, or of one asset."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Final

from flask import Response, request
from marshmallow import ValidationError

from mediaflow.api.http.auth import identity
from mediaflow.api.http.context import BASE, caller, runtime, web
from mediaflow.api.http.eventstream import (
    HEADERS,
    LONGEST_SECONDS,
    USUAL_SECONDS,
    Check,
    EventStream,
)
from mediaflow.api.http.fields import Body, number
from mediaflow.api.http.resource import Resource
from mediaflow.api.schemas.assets import owner_field
from mediaflow.domain.errors import InvalidInput, Problem
from mediaflow.services.access.permissions import may_change, readable, scope_of
from mediaflow.services.assets.asset_cache import AssetFacts, look
from mediaflow.services.following.news import Interest
from mediaflow.services.following.running import HowFar

blueprint = Resource("events", __name__, url_prefix=BASE, description="What happens, as it happens.")

LARGEST_NUMBER: Final = 10**15 - 1
LAST_EVENT_ID: Final[dict[str, Any]] = {
    "in": "header",
    "name": "Last-Event-ID",
    "required": False,
    "description": "The `id` of the last event that was seen: the stream goes on behind it. Browsers send it by "
    "themselves when they connect again.",
    "schema": {"type": "string", "pattern": "^[0-9]{0,15}$"},
    "example": "4711",
}
_STREAM: Final = {
    200: {
        "content": {
            "text/event-stream": {
                "schema": {
                    "type": "object",
                    "description": "One event of the stream (OpenAPI 3.1 has no word for it).",
                    "properties": {
                        "id": {"type": "string", "description": "Its number in the log, where it is of the log."},
                        "event": {"type": "string", "description": "Its name."},
                        "data": {"type": "string", "contentMediaType": "application/json"},
                        "retry": {"type": "integer", "description": "Milliseconds to wait before connecting again."},
                    },
                    "required": ["event", "data"],
                },
                "example": {
                    "id": "4712",
                    "event": "asset.ready",
                    "data": '{"id":"8f14...","number":4712,"name":"asset.ready","at":"2026-01-31T08:15:30.250Z",'
                    '"owner":"ann","asset_id":"45c4...","job_id":"6512...","data":{"generation":1}}',
                },
            }
        }
    }
}


def _between(value: int, most: int) -> None:
    if not 0 <= value <= most:
        raise ValidationError(f"must be 0 to {most}, not {value}")


class StreamQuery(Body):
    """Where a stream begins and how long it lasts."""

    last_event_id = number(
        load_default=None,
        validate=lambda value: _between(value, LARGEST_NUMBER),
        metadata={
            "minimum": 0,
            "maximum": LARGEST_NUMBER,
            "description": "As the header `Last-Event-ID`, which counts more, for clients that can't set it.",
        },
    )
    for_seconds = number(
        load_default=USUAL_SECONDS,
        validate=lambda value: _between(value, LONGEST_SECONDS),
        metadata={
            "minimum": 0,
            "maximum": LONGEST_SECONDS,
            "description": "The stream ends after about so long, at most; with 0 after what there is already.",
        },
    )


class OwnStreamQuery(StreamQuery):
    """And whose."""

    owner = owner_field()


@blueprint.operation(
    "GET",
    "/events",
    query=OwnStreamQuery,
    gives={200: None},
    fails=(422,),
    parameters=[LAST_EVENT_ID],
    responses=_STREAM,
)
def follow_events(query: dict[str, Any]) -> Response:
    """Follow what happens to your assets, an admin to everybody's (Server-Sent Events).

    An event of the log has its number as `id`, its name as `event` and JSON as `data`: `{id, number, name, at, owner,
    asset_id, job_id, data}`; the README lists all. None is missed by a client that goes on behind the last one it saw,
    and one may come twice (the same `data.id`). Besides, without `id`: `asset.progress` `{asset_id, state, progress,
    eta_seconds, playable}` of what is being processed, when it changes, at most once a second; `reset` when what
    happened since `Last-Event-ID` is not known any more (read anew what you show); `end` `{reason, detail}` as the
    last: `stream.time` (connect again), or the code of why you may not see it any more. A comment comes when nothing
    else does for ten seconds.
    """
    owner, who = query.get("owner"), identity()

    def check() -> bool:
        scope_of(who(), owner)
        return True

    return _stream(Interest(**scope_of(caller(), owner)), check, query)


@blueprint.operation(
    "GET",
    "/assets/<id:asset_id>/events",
    query=StreamQuery,
    gives={200: None},
    parameters=[LAST_EVENT_ID],
    responses=_STREAM,
)
def follow_asset(query: dict[str, Any], asset_id: str) -> Response:
    """Follow one asset (Server-Sent Events, as of `/events`).

    The first event is `asset.progress`: how the asset is now. Those whom it is shared with are told when it is ready,
    failed or changed. When it is deleted, or not shared any more, the last event is `end` with `asset.not_found`.
    """
    who, assets = identity(), runtime().database.assets

    def check() -> bool:
        principal = who()
        return may_change(principal, readable(principal, look(assets, asset_id, AssetFacts)))

    check()
    # its place in the log first, and then how it is: what happens in between is told twice rather than not at all
    last = runtime().events.last()
    asset = runtime().library.asset(caller(), asset_id)
    found = runtime().library.progress(asset)
    stands = HowFar(asset_id, asset.owner, asset.state, round(found.fraction, 3), asset.playable, found.eta_seconds)
    return _stream(Interest(asset.owner, asset_id), check, query, begins=last, snapshot=stands)


def _stream(
    interest: Interest,
    check: Check,
    query: Mapping[str, Any],
    *,
    begins: int | None = None,
    snapshot: HowFar | None = None,
) -> Response:
    seen, answer = _last_seen(query), Response(content_type="text/event-stream", headers=HEADERS)
    answer.vary.update(("Authorization", "Cookie"))
    if request.method == "HEAD":
        return answer
    with ExitStack() as held:
        held.callback(web().stream_places.take(caller().user, request.remote_addr or ""))
        stream = EventStream(
            runtime().news,
            interest,
            check,
            after=begins if seen is None else seen,
            resumed=seen is not None,
            seconds=query["for_seconds"],
            snapshot=snapshot,
        )
        held.callback(stream.close)
        answer.call_on_close(held.pop_all().close)
    answer.response = iter(stream)
    return answer


def _last_seen(query: Mapping[str, Any]) -> int | None:
    """The number that the client has seen, by the header, else by the query."""
    sent = request.headers.get("Last-Event-ID", "")
    if not sent:
        number: int | None = query["last_event_id"]
        return number
    if re.fullmatch("[0-9]{1,15}", sent, re.ASCII) is None:
        detail = "must be the id of an event of this stream, a number of at most 15 digits"
        raise InvalidInput(f"Last-Event-ID: {detail}", problems=(Problem("request.invalid", detail, "/Last-Event-ID"),))
    return int(sent)
