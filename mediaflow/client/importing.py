"""Follows imports that a service does: with a bar, until they have ended or Ctrl-C ends them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from mediaflow.client.api_client import ApiClient, ApiError
from mediaflow.client.progress import count_bar

POLL_SECONDS: Final = 0.5
GOES_ON: Final = ("waiting", "running")


def followed(client: ApiClient, asked: list[dict[str, Any]], *, forever: bool) -> list[dict[str, Any]]:
    """The imports when all have ended. Ctrl-C ends those that go on: what is taken by then stays, and asked for once
    more the rest is; with `forever` that is how they are to end.
    """
    try:
        with count_bar("Importing") as tell:
            while any(each["state"] in GOES_ON for each in asked):
                tell(_done(asked))
                client.pause(POLL_SECONDS)
                asked = [_now(client, each) for each in asked]
            tell(_done(asked))
    except KeyboardInterrupt:
        for each in asked:
            if each["state"] in GOES_ON:
                with suppress(ApiError):
                    client.call("DELETE", f"/imports/{each['id']}")
        asked = [_now(client, each) for each in asked]
        if not forever:
            raise
    return asked


def _now(client: ApiClient, asked: dict[str, Any]) -> dict[str, Any]:
    now: dict[str, Any] = client.call("GET", f"/imports/{asked['id']}")
    return now


def _done(asked: list[dict[str, Any]]) -> str:
    counts = [each["counts"] for each in asked if each["counts"] is not None]
    files = sum(each["found"] for each in counts)
    taken = sum(each["taken"] for each in counts)
    received = sum(each["received_bytes"] for each in asked)
    why = next((each["error"]["detail"] for each in asked if each["error"] and each["state"] == "waiting"), "")
    return f"{files:,} files, {taken:,} taken, {received / 1e6:,.0f} MB {why}"
