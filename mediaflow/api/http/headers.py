"""Headers around every request: what browsers may do with answers, who may call from elsewhere, which host we are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flask import Response, request
from werkzeug.exceptions import BadRequest, RequestHeaderFieldsTooLarge

from mediaflow.api.http.context import BASE, request_id, web
from mediaflow.api.http.cors import API, share
from mediaflow.services.requests.web_addresses import is_plain_host

STREAM: Final = "/stream/"
NO_PAGE: Final = "default-src 'none'; frame-ancestors 'none'"
"""No answer is a page that may load anything, except those that say so themselves."""
NO_PAGE_BUT_A_FILE: Final = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'"
"""A browser that opens a picture or an MP4 file shows it in a little page of its own, under the file's policy."""
FEATURES_OFF: Final = "camera=(), microphone=(), geolocation=(), payment=(), usb=(), display-capture=()"
YEAR_SECONDS: Final = 365 * 24 * 3600


LONGEST_HEADERS: Final[Mapping[str, int]] = {
    "HTTP_ACCEPT": 1000,
    "HTTP_IF_MATCH": 2000,
    "HTTP_IF_NONE_MATCH": 2000,
    "HTTP_IF_RANGE": 200,
    "HTTP_IF_MODIFIED_SINCE": 200,
    "HTTP_IF_UNMODIFIED_SINCE": 200,
    "HTTP_RANGE": 1000,
    "HTTP_CONTENT_DIGEST": 1000,
    "HTTP_IDEMPOTENCY_KEY": 1000,
    "HTTP_X_REQUESTED_WITH": 1000,
    "CONTENT_TYPE": 1000,
    # of other services on the same host, too
    "HTTP_COOKIE": 8192,
}
"""Characters, by the name in the environment, of headers that are taken apart: a server joins all that have one name,
up to 800 KB, and reading an `Accept` of 8,000 tabs took a third of a second."""


class UnknownHost(BadRequest):
    """The `Host` header is nothing that a URL can be made of."""

    code_of_problem = "request.host"


def check_lengths() -> None:
    """RequestHeaderFieldsTooLarge (431) before any header is taken apart."""
    for name, longest in LONGEST_HEADERS.items():
        if len(request.environ.get(name, "")) > longest:
            said = name.removeprefix("HTTP_").replace("_", "-").title()
            raise RequestHeaderFieldsTooLarge(f"The header {said} may have at most {longest} characters.")


def check_host() -> None:
    """UnknownHost when links would be made of a `Host` that is none (with a public URL, nothing is made of it)."""
    host = request.environ.get("HTTP_HOST")
    if host is None and request.environ.get("SERVER_PROTOCOL") == "HTTP/1.1" and "gunicorn.socket" in request.environ:
        raise UnknownHost("HTTP/1.1 needs a Host header (RFC 9112 section 3.2).")
    if not web().public_url and host is not None and not is_plain_host(host):
        raise UnknownHost("The Host header must be `host` or `host:port`.")


def finish_headers(response: Response) -> None:
    """Add what every answer carries; what a view has set stays."""
    headers = response.headers
    headers["X-Request-Id"] = request_id()
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "no-referrer")
    # players of other origins may show images and segments without asking (CORS is said by the stream itself)
    streamed = request.path.startswith(STREAM)
    headers.setdefault("Content-Security-Policy", NO_PAGE_BUT_A_FILE if streamed else NO_PAGE)
    headers.setdefault("Cross-Origin-Resource-Policy", "cross-origin" if streamed else "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    if response.mimetype == "text/html":
        headers.setdefault("Permissions-Policy", FEATURES_OFF)
    if response.mimetype in ("application/json", "application/problem+json", "text/html"):
        headers.setdefault("Cache-Control", "no-store")  # answers depend on who asks
    if web().public_url.startswith("https:"):
        headers.setdefault("Strict-Transport-Security", f"max-age={YEAR_SECONDS}")
    if request.path.startswith(f"{BASE}/"):
        share(response, web().api_origins, API)


def is_strict() -> bool:
    """Whether the client prefers to be refused at once (`Prefer: handling=strict`, RFC 7240, 4.4)."""
    said = request.headers.get("Prefer", "").lower().split(",")
    return "handling=strict" in (each.partition(";")[0].strip() for each in said)
