"""What is refused before the application is asked, as problem documents (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from mediaflow.domain.ids import new_id

RETRY_AFTER_SECONDS: Final = 5
REFUSALS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("request.malformed", "The request is not well-formed HTTP."),
    403: ("request.forbidden", "The request is not allowed here."),
    408: ("request.timeout", "The request did not arrive in time."),
    414: ("request.uri_too_long", "The request's first line is too long."),
    417: ("request.expectation", "What the Expect header asks for is not offered."),
    429: ("limit.connections", "Your address has too many connections or requests open at once; close some."),
    431: ("request.headers_too_large", "The request has too many headers, or one that is too large."),
    500: ("internal.error", "Something went wrong on our side; the request id finds it in the logs."),
    501: ("request.transfer_coding", "The Transfer-Encoding is not known here."),
    503: ("limit.busy", "Too many connections are open here; try again in a moment."),
}
"""Codes and sentences of what gunicorn, or our worker, refuses."""


def refusal(status: int) -> tuple[bytes, str]:
    """A whole answer, which closes the connection, and its request's id."""
    code, detail = REFUSALS.get(status, ("request.malformed", "The request can't be read."))
    document = {
        "type": f"urn:mediaflow:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": [],
        "request_id": (request_id := new_id()),
    }
    body = json.dumps(document).encode()
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Connection: close",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        f"X-Request-Id: {request_id}",
    ]
    if status in (429, 503):
        lines.append(f"Retry-After: {RETRY_AFTER_SECONDS}")
    return "\r\n".join((*lines, "", "")).encode() + body, request_id


class ProblemWriter:
    """The socket of a request that gunicorn itself refuses: its page of HTML becomes a problem document.

    gunicorn decides the status and writes the whole answer at once, so that the status can be read from it.
    """

    def __init__(self, wire: Any, log: Any) -> None:
        self._wire, self._log = wire, log

    def gettimeout(self) -> float:
        """Gunicorn asks: writing waits for nobody."""
        return 0.0

    def sendall(self, page: bytes) -> None:
        status = int(page.split(b" ", 2)[1])
        answer, request_id = refusal(status)
        self._log.info("request %s was refused with %d before it was read", request_id, status)
        self._wire.sendall(answer)
