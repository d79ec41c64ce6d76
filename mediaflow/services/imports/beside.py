"""What lies beside a film: `film.json` says its title, description and tags, `film.de.vtt` are captions in German."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from mediaflow.domain.errors import InvalidInput
from mediaflow.domain.states import VISIBILITIES
from mediaflow.services.text.plain import is_visible, sanitised

LARGEST_BYTES: Final = 1024 * 1024
LONGEST: Final = {"title": 255, "description": 10_000}
MOST_TAGS: Final = 50
LONGEST_TAG: Final = 64


def said_of(blocks: Iterable[bytes]) -> dict[str, Any]:
    """Title, description, tags and visibility in a JSON object, those of them that it has; others mean nothing here.
    InvalidInput with what is wrong.
    """
    try:
        said = json.loads(whole(blocks, LARGEST_BYTES))
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"is no JSON ({error})", code="import.bad_sidecar") from error
    if not isinstance(said, dict):
        raise InvalidInput("is no JSON object", code="import.bad_sidecar")
    found: dict[str, Any] = {}
    for name in ("title", "description"):
        if said.get(name) is not None:
            found[name] = _text(name, said[name], LONGEST[name], lines=name == "description")
    if said.get("tags") is not None:
        found["tags"] = _tags(said["tags"])
    if said.get("visibility") is not None:
        if said["visibility"] not in VISIBILITIES:
            raise _wrong("visibility", f"must be one of {', '.join(VISIBILITIES)}")
        found["visibility"] = said["visibility"]
    return found


def whole(blocks: Iterable[bytes], most: int) -> bytes:
    """All of a small file; InvalidInput when it has more bytes."""
    data = bytearray()
    for block in blocks:
        data += block
        if len(data) > most:
            raise InvalidInput(f"has more than {most} bytes", code="import.bad_sidecar")
    return bytes(data)


def _tags(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MOST_TAGS:
        raise _wrong("tags", f"must be a list of at most {MOST_TAGS} texts")
    return tuple(dict.fromkeys(_text("tags", each, LONGEST_TAG, lines=False) for each in value))


def _text(name: str, value: object, longest: int, *, lines: bool) -> str:
    if not isinstance(value, str):
        raise _wrong(name, "must be text")
    if len(value) > longest or len(text := sanitised(value, lines=lines)) > longest:
        raise _wrong(name, f"must have at most {longest} characters")
    if name != "description" and not is_visible(text):
        raise _wrong(name, "must not be empty")
    return text


def _wrong(name: str, what: str) -> InvalidInput:
    return InvalidInput(f"{name} {what}", code="import.bad_sidecar")
