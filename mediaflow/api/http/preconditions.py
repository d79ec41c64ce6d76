"""Conditional requests (RFC 9110 section 13): entity tags read strictly, nothing is guessed."""

from __future__ import annotations

import re
from typing import Any, Final

from flask import request

IF_MATCH: Final[dict[str, Any]] = {
    "in": "header",
    "name": "If-Match",
    "required": False,
    "description": "The `ETag` that the change is based on, several with commas, or `*`; 412 when it was "
    "changed since.",
    "schema": {"type": "string", "examples": ['"7"']},
}
_TAG: Final = re.compile(r'"([0-9]{1,12})"')
"""A strong tag of ours (RFC 9110 section 8.8.3)."""


def expected_revisions() -> frozenset[int] | None:
    """The revisions that `If-Match` allows; None when any will do.

    Weak tags never match (section 13.1.1), nor does what is no tag: a condition that can't be read is not met.
    """
    text = request.headers.get("If-Match")
    if text is None or text.strip() == "*":
        return None
    matches = [_TAG.fullmatch(member.strip()) for member in text.split(",")]
    return frozenset(int(match[1]) for match in matches if match is not None)
