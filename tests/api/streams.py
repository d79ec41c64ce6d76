"""A reader of Server-Sent Events, as browsers read them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from werkzeug.test import TestResponse

from tests.api.site import Api


@dataclass(frozen=True)
class Told:
    """An event: its name, its data, and the id that the client would send when it connects again."""

    name: str
    data: dict[str, Any]
    last_id: str | None


def blocks(body: Iterable[bytes], last_id: str | None = None) -> Iterator[Told]:
    """The events of a body; `""` as name where only an id was told, or a comment."""
    rest = ""
    for part in body:
        *whole, rest = (rest + part.decode()).split("\n\n")
        for block in whole:
            fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
            last_id = fields.get("id", last_id)
            yield Told(fields.get("event", ""), json.loads(fields.get("data", "{}")), last_id)
    assert rest == ""


def body_of(answer: TestResponse) -> Iterator[bytes]:
    """The body as it comes."""
    return answer.iter_encoded()


@contextmanager
def stream(api: Api, path: str, last_id: str | None = None) -> Iterator[Iterator[Told]]:
    """What is told, as it comes; at the end the client goes away."""
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    answer = api.get(path, headers=headers)
    try:
        assert answer.status_code == 200, answer.text
        assert answer.content_type == "text/event-stream"
        yield (told for told in blocks(body_of(answer), last_id) if told.name or told.last_id)
    finally:
        answer.close()


def told_so_far(api: Api, path: str, last_id: str | None = None) -> list[Told]:
    """What there is already, `end` at its end."""
    joint = "&" if "?" in path else "?"
    with stream(api, f"{path}{joint}for_seconds=0", last_id) as events:
        return [told for told in events if told.name]
