"""Limits around every request: a user's requests a minute; of an address those without a credential, and those refused.

Told in the headers of draft-ietf-httpapi-ratelimit-headers (`RateLimit-Policy: "user";q=<limit>;w=<seconds>`,
`RateLimit: "user";r=<remaining>;t=<seconds until the reset>`). Streams, probes, the page's files and the API's
documents need nobody, cost next to nothing, and are not counted.
"""

from __future__ import annotations

from typing import Final

from flask import Response, g, request

from mediaflow.api.http.auth import policy
from mediaflow.api.http.context import caller_if_any, runtime
from mediaflow.api.http.errors import problem
from mediaflow.domain.errors import LimitReached, TooLarge
from mediaflow.services.requests.rate_limits import WINDOW_SECONDS, Standing

POLICY: Final = "user"
SIGNING_IN: Final = ("session.create_session", "login.use_login_link")
"""Endpoints whose credential is in the body or the path. A cookie does not count: every page that was left open shows
an old one, again and again, and its 256 bits can't be guessed."""
STREAMS: Final = "stream."


def limit_requests() -> None:
    """Count the request of whoever is known, or of the address; LimitReached when it is one too many.

    TooLarge for a stranger's large body, which then is not read.
    """
    if caller_if_any() is None:
        _limit_strangers()
        return
    standing = _standing()
    if standing is not None and standing.exceeded:
        raise LimitReached(
            f"You may make {standing.limit} requests a minute; wait {standing.reset_seconds} s.",
            retry_after_seconds=standing.reset_seconds,
            limit=standing.limit,
        )


def _limit_strangers() -> None:
    if request.endpoint is None or request.method == "OPTIONS":
        return
    longest = runtime().settings.anonymous_body_bytes
    if (request.content_length or 0) > longest:
        raise TooLarge(f"Without a credential, a body may have at most {longest} bytes.", limit=longest)
    request.max_content_length = longest  # of a body that does not say how long it is
    if request.endpoint not in SIGNING_IN and policy().access == "open":
        return
    standing = runtime().rate_limits.stranger(request.remote_addr or "")
    if standing is not None and standing.exceeded:
        raise LimitReached(
            f"Without a credential, {standing.limit} requests a minute are answered to one address; wait "
            f"{standing.reset_seconds} s, or send a token.",
            code="limit.anonymous",
            retry_after_seconds=standing.reset_seconds,
            limit=standing.limit,
        )


def with_limits(response: Response) -> Response:
    """The answer with the headers that tell the limit; another one for addresses with too many refused credentials."""
    if response.status_code == 401 and not (request.endpoint or "").startswith(STREAMS):
        response = _refused(response)
    standing = _standing()
    if standing is not None:
        response.headers["RateLimit-Policy"] = f'"{POLICY}";q={standing.limit};w={WINDOW_SECONDS}'
        response.headers["RateLimit"] = f'"{POLICY}";r={standing.remaining};t={standing.reset_seconds}'
    return response


def shows_credential() -> bool:
    """True when the request tries a token or a code."""
    return "Authorization" in request.headers or request.endpoint in SIGNING_IN


def _standing() -> Standing | None:
    """The user's standing, counted once a request; None when nobody is known, or nothing is limited."""
    if "standing" not in g:
        principal = caller_if_any()
        if principal is None or request.method == "OPTIONS":
            return None
        g.standing = runtime().rate_limits.request(principal.user)
    standing: Standing | None = g.standing
    return standing


def _refused(response: Response) -> Response:
    standing = runtime().rate_limits.refused(request.remote_addr or "", counts=shows_credential())
    if standing is None or not standing.exceeded:
        return response
    answer = problem(
        429,
        "limit.refused_credentials",
        f"Too many credentials of this address were refused; wait {standing.reset_seconds} s. One that is valid works.",
        members={"limit": standing.limit},
    )
    answer.headers["Retry-After"] = str(standing.reset_seconds)
    return answer
