"""What a request needs of its process: the runtime, the caller, its own id, and the address that it came to."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Final, cast

from flask import Flask, current_app, g, request

from mediaflow.api.http.readiness import Readiness, readiness_of
from mediaflow.api.http.slots import BodySlots, StreamPlaces
from mediaflow.domain.errors import Unauthenticated
from mediaflow.domain.ids import new_id
from mediaflow.runtime import Runtime
from mediaflow.services.access.principals import Principal
from mediaflow.services.access.sessions import Sessions
from mediaflow.services.delivery.stream_options import parse_origins
from mediaflow.services.requests.web_addresses import checked_public_url

BASE: Final = "/api/v1"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
_EXTENSION: Final = "mediaflow"


@dataclass(frozen=True, slots=True)
class WebProcess:
    """What one web process holds besides Flask.

    `body_slots` are the long bodies that it receives at once, `stream_places` its streams of events. `public_url`
    (without a slash at its end) is empty where clients' own idea of our address counts. Pages of `api_origins` may call
    the API. `started` is a time of the monotonic clock.
    """

    runtime: Runtime
    sessions: Sessions
    body_slots: BodySlots
    stream_places: StreamPlaces
    readiness: Readiness
    public_url: str
    api_origins: frozenset[str]
    started: float


def install(app: Flask, runtime: Runtime) -> None:
    """Make the runtime known to the views of this application."""
    settings = runtime.settings
    slots = max(1, settings.web_threads * 3 // 4)
    app.extensions[_EXTENSION] = WebProcess(
        runtime,
        runtime.sessions,
        BodySlots(slots, settings.chunks_per_user),
        StreamPlaces(
            max(1, settings.web_connections // 2), settings.event_streams_per_user, settings.event_streams_per_address
        ),
        readiness_of(runtime),
        checked_public_url(settings.public_url),
        parse_origins("MEDIAFLOW_API_ORIGINS", settings.api_origins),
        time.monotonic(),
    )


def web() -> WebProcess:
    """The process's things, from within a request."""
    return cast(WebProcess, current_app.extensions[_EXTENSION])


def runtime() -> Runtime:
    """The process's services, from within a request."""
    return web().runtime


def request_id() -> str:
    """The request's id: the client's own, when it sent a sane one, else a fresh one."""
    if "request_id" not in g:
        sent = request.headers.get("X-Request-Id", "")
        g.request_id = sent if _REQUEST_ID.fullmatch(sent) else new_id()
    return cast(str, g.request_id)


def caller() -> Principal:
    """Who is asking. Only for operations that need somebody; `auth.py` has made sure."""
    principal = caller_if_any()
    if principal is None:
        raise Unauthenticated("This needs a token.")
    return principal


def caller_if_any() -> Principal | None:
    """Who is asking, or None where operations are open to everyone."""
    return cast("Principal | None", g.get("principal"))


def base_url() -> str:
    """The address under which the client knows us, without a slash at the end."""
    return web().public_url or request.host_url.rstrip("/")


def absolute(path: str | None) -> str | None:
    """A path of ours as a URL; None stays None."""
    return None if path is None else base_url() + path
