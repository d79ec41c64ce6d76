"""`Idempotency-Key` around the operations that take it (`Resource.operation`): claimed before the view, kept after."""

from __future__ import annotations

import contextlib
import hashlib
import re
from typing import Final

import structlog
from flask import Response, current_app, g, request

from mediaflow.api.http.context import caller_if_any, runtime
from mediaflow.api.http.resource import POLICY_ATTRIBUTE
from mediaflow.domain.errors import InvalidInput, Problem
from mediaflow.services.requests.idempotency import Claim

_log = structlog.get_logger(__name__)

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
KEPT_HEADERS: Final = ("Content-Type", "Location", "ETag")
COME_AGAIN: Final = (408, 409, 425, 429)
"""What is no final answer, besides 5xx: the same request can end otherwise a moment later."""
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


def begin_once() -> Response | None:
    """The kept answer of a request that was done before; None when it is to be done, or is not about a key."""
    key, principal = request.headers.get(HEADER), caller_if_any()
    if key is None or principal is None or not _takes_keys():
        return None
    if _KEY.fullmatch(key) is None:
        detail = "must be 1 to 255 visible ASCII characters"
        problem = Problem("request.idempotency_key", detail, f"/{HEADER}")
        raise InvalidInput(f"The {HEADER} {detail}.", code="request.idempotency_key", problems=(problem,))
    found = runtime().idempotency.begin(principal.user, key, _fingerprint())
    if isinstance(found, Claim):
        g.claim = found
        return None
    g.replayed = True
    response = Response(found.body or "", found.status or 200)
    response.headers.update(found.headers)
    response.headers[REPLAYED] = "true"
    return response


def finish_once(response: Response) -> None:
    """Keep the answer of a claimed request, when it is final."""
    claim = g.pop("claim", None)
    if claim is None:
        return
    try:
        if response.status_code >= 500 or response.status_code in COME_AGAIN:
            runtime().idempotency.release(claim)
            return
        headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
        body = response.get_data(as_text=True)
        runtime().idempotency.finish(claim, status=response.status_code, headers=headers, body=body)
    except Exception as error:  # noqa: BLE001 - the request is done, and its answer is more than a kept copy
        _log.warning("answer not kept for its Idempotency-Key", reason=f"{type(error).__name__}: {error}")


def abandon() -> None:
    """Free the key of a request that has no answer: something went wrong around it."""
    if (claim := g.pop("claim", None)) is not None:
        with contextlib.suppress(Exception):  # then the claim's time frees it
            runtime().idempotency.release(claim)


def was_replayed() -> bool:
    """True when this request was not done, because it was before."""
    return bool(g.get("replayed"))


def _takes_keys() -> bool:
    if request.method != "POST" or request.endpoint is None:
        return False
    policy = getattr(current_app.view_functions[request.endpoint], POLICY_ATTRIBUTE, None)
    return policy is not None and policy.repeatable


def _fingerprint() -> str:
    """A hash of all that decides what the request does."""
    digest = hashlib.sha256()
    for part in (request.method.encode(), request.full_path.encode(), request.get_data()):
        digest.update(b"%d:" % len(part) + part)
    return digest.hexdigest()
