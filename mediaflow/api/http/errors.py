"""The only mapping from exceptions to HTTP: RFC 9457 problem documents for our errors, Flask's, and all others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

import structlog
from flask import Flask, Response, json, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, RequestedRangeNotSatisfiable
from werkzeug.http import HTTP_STATUS_CODES

from mediaflow.api.http.awaiting import is_waiting
from mediaflow.api.http.context import request_id
from mediaflow.domain import errors

_log = structlog.get_logger(__name__)

PROBLEM_TYPE: Final = "application/problem+json"

STATUSES: Final[Mapping[type[errors.MediaflowError], int]] = {
    errors.InvalidInput: 422,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.PreconditionFailed: 412,
    errors.TooLarge: 413,
    errors.MediaRejected: 422,
    errors.LimitReached: 429,
    errors.Unavailable: 503,
    errors.InsufficientStorage: 507,
}
"""The nearest class in the error's order of inheritance counts; an error that is not here is a fault of ours (500)."""

HTTP_CODES: Final[Mapping[int, str]] = {
    400: "request.malformed",
    404: "request.not_found",
    405: "request.method_not_allowed",
    408: "request.timeout",
    413: "limit.too_large",
    415: "request.media_type",
    416: "request.range",
    422: "request.invalid",
    431: "request.headers_too_large",
}
"""Codes of errors that Flask itself raises."""

UNKNOWN_FIELD: Final = "is not known here"
MISSING_FIELD: Final = "is required"
FIELD_CODES: Final = {UNKNOWN_FIELD: "request.unknown_field", MISSING_FIELD: "request.missing_field"}
PUBLIC_FACTS: Final = ("missing", "limit", "used", "asked")
"""Facts of errors that go into the problem document as members of their own; the others are for logs."""
MOST_PROBLEMS: Final = 20
"""So many are told; whoever has more made the same mistake again and again, or looks for a large answer."""
LONGEST_DETAIL: Final = 1000
LONGEST_NAME: Final = 100
LONGEST_POINTER: Final = 4 * LONGEST_NAME
"""Characters. What a client sent comes back in them."""
SERVER_FAULT: Final = "Something went wrong on our side; the request id finds it in the logs."


def register_error_handlers(app: Flask) -> None:
    """Answer every error of this application with a problem document."""
    app.register_error_handler(errors.MediaflowError, _of_ours)
    app.register_error_handler(HTTPException, _of_flask)
    app.register_error_handler(Exception, _of_nobody)


def status_of(error: errors.MediaflowError) -> int:
    """The HTTP status of an error of ours."""
    return next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), 500)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    problems: list[dict[str, Any]] | None = None,
    members: Mapping[str, Any] | None = None,
) -> Response:
    """A problem document. `type` is a URN of the code: there is nothing to fetch there, it identifies.

    However much is wrong, it stays small: the first `MOST_PROBLEMS` of `problems`, each shortened.
    """
    document = {
        "type": f"urn:mediaflow:{code}",
        "title": _phrase(status),
        "status": status,
        "detail": _shortened(detail, LONGEST_DETAIL),
        "code": code,
        "errors": [_short(each) for each in (problems or [])[:MOST_PROBLEMS]],
        "request_id": request_id(),
        **(members or {}),
    }
    # what a client sent can be repeated here, and half of a surrogate pair is no text that others could read
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    response = Response(body, status, mimetype=PROBLEM_TYPE)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="mediaflow"'
    return response


def _phrase(status: int) -> str:
    """The status in words; plugins may use one that has none."""
    return HTTP_STATUS_CODES.get(status, "Error")


def _of_ours(error: errors.MediaflowError) -> Response:
    status = status_of(error)
    if status == 500:
        return _of_nobody(error)
    if status == 503 and not is_waiting(request.environ):
        _log.warning("dependency unavailable", code=error.code, detail=error.detail)
    problems = [{"pointer": p.pointer or "", "detail": p.detail, "code": p.code} for p in error.problems]
    members: dict[str, Any] = {name: error.facts[name] for name in PUBLIC_FACTS if name in error.facts}
    response = problem(status, error.code, error.detail, problems=problems, members=members)
    if isinstance(error, (errors.Busy, errors.LimitReached, errors.Unavailable)):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    return response


def _of_flask(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    if status < 400:
        return error  # redirects are raised, too
    if status == 500:
        return _of_nobody(error)
    messages = (getattr(error, "data", None) or {}).get("messages") or {}
    problems = list(islice(_flattened(messages), MOST_PROBLEMS)) if status == 422 else []
    untold = _count(messages) - len(problems)
    detail = _summary(problems, untold) if problems else (error.description or _phrase(status))
    code = getattr(error, "code_of_problem", None) or HTTP_CODES.get(status, f"request.http_{status}")
    response = problem(status, code, detail, problems=problems)
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    if isinstance(error, RequestedRangeNotSatisfiable) and error.length is not None:
        response.headers["Content-Range"] = f"bytes */{error.length}"
    return response


def _of_nobody(error: Exception) -> Response:
    _log.error("request failed", exc_info=error)
    code = error.code if isinstance(error, errors.MediaflowError) else "internal.error"
    return problem(500, code, SERVER_FAULT)


def _flattened(messages: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Nested messages of marshmallow, by location (json, query), one after the other with JSON pointers (RFC 6901)."""
    for by_location in messages.values():
        yield from _below("", by_location)


def _below(pointer: str, messages: Any) -> Iterator[dict[str, Any]]:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            here = pointer if name == "_schema" else f"{pointer}/{_escaped(name)}"
            yield from _below(here, inner)
    else:
        for message in messages if isinstance(messages, list) else [messages]:
            code = FIELD_CODES.get(message, "request.invalid_field")
            yield {"pointer": pointer, "detail": str(message), "code": code}


def _count(messages: Any) -> int:
    """How many there are, however deep: without making a pointer for each."""
    if isinstance(messages, dict):
        return sum(map(_count, messages.values()))
    return len(messages) if isinstance(messages, list) else 1


def _escaped(name: object) -> str:
    return str(name)[:LONGEST_NAME].replace("~", "~0").replace("/", "~1")


def _summary(problems: list[dict[str, Any]], untold: int) -> str:
    """The first problem, and how many there are besides; `untold` of them are not in the list."""
    first, others = problems[0], len(problems) - 1 + untold
    more = f" (and {others} more{f', of which {untold} are not listed' if untold else ''})" if others else ""
    return f"{first['pointer'] or 'the request'}: {first['detail']}{more}"


def _short(told: dict[str, Any]) -> dict[str, Any]:
    pointer, detail = (str(told[name]) for name in ("pointer", "detail"))
    return {**told, "pointer": _shortened(pointer, LONGEST_POINTER), "detail": _shortened(detail, LONGEST_DETAIL)}


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}\u2026"
