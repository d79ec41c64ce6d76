"""Who is asking: the principal of a bearer token or of the page's cookie, found before any view runs.

Whatever lies under `/api/v1` needs somebody, a plugin's operations too, except what is declared to be open.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Final, cast

from flask import Flask, Response, current_app, g, request

from mediaflow.api.http.context import BASE, base_url, runtime, web
from mediaflow.api.http.resource import OPEN, POLICY_ATTRIBUTE, Policy
from mediaflow.domain.errors import Forbidden, Unauthenticated
from mediaflow.services.access.principals import Principal
from mediaflow.services.text.plain import sanitised

COOKIE: Final = "mediaflow_session"
HOST_COOKIE: Final = f"__Host-{COOKIE}"
"""RFC 6265bis section 4.1.3.2; only by https, so that signing in on plain http goes on where there is nothing else."""
LONGEST_AGENT: Final = 200
READING: Final = ("GET", "HEAD", "OPTIONS")
PAGE_HEADER: Final = "X-Requested-With"
PAGE_VALUE: Final = "mediaflow"
_BEARER: Final = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE | re.ASCII)
"""RFC 6750 section 2.1, RFC 9110 section 11.4."""


def register_authentication(app: Flask) -> None:
    """Look at every request's credentials first."""
    app.before_request(authenticate)


def authenticate() -> None:
    """Find the caller; Unauthenticated when there is none and the operation needs one."""
    declared = policy()
    if declared.access == "open" or request.method == "OPTIONS":
        return
    g.principal = _shown()()
    if g.principal is not None:
        _check_page_header()
        _allow(g.principal, declared)
    elif declared.access == "required":
        raise Unauthenticated("This needs a token: send `Authorization: Bearer ...`, or sign in.")


def identity() -> Callable[[], Principal]:
    """What finds out again who sent this request, also after it: Unauthenticated, Forbidden when it is nobody more."""
    shown, declared = _shown(), policy()

    def found() -> Principal:
        principal = shown()
        if principal is None:
            raise Unauthenticated("The session has ended; sign in again.", code="auth.session_ended")
        _allow(principal, declared)
        return principal

    return found


def _allow(principal: Principal, declared: Policy) -> None:
    """Forbidden when the operation is not for this principal's role, or not for this credential."""
    if declared.admin and not principal.is_admin:
        raise Forbidden("This is for admins only.", code="auth.role")
    if declared.scope is not None and declared.scope not in principal.scopes:
        raise Forbidden(f"This credential does not open `{declared.scope}`; use one that does.", code="auth.scope")


def policy() -> Policy:
    """What was declared of the operation that this request is for."""
    rule = request.url_rule
    if rule is None:
        return OPEN  # there is nothing at this address, which is what the answer will say
    otherwise = _undeclared() if rule.rule.startswith(f"{BASE}/") else OPEN
    view = current_app.view_functions[rule.endpoint]
    return cast(Policy, getattr(view, POLICY_ATTRIBUTE, otherwise))


def _undeclared() -> Policy:
    """For views that declare nothing, those of plugins: a limited credential needs the scope of reading or writing."""
    return Policy("required", "assets:read" if request.method in READING else "assets:write")


def _shown() -> Callable[[], Principal | None]:
    """What finds whose credential this request shows: of a cookie, None when there is no such session (any more)."""
    if "Authorization" in request.headers:
        match = _BEARER.fullmatch(request.headers["Authorization"])
        if match is None:
            raise Unauthenticated("The credentials must be `Authorization: Bearer <token>`.", code="auth.bad_token")
        return partial(runtime().credentials.verify, match[1])
    secret = shown_cookie()
    return partial(web().sessions.find, secret) if secret else lambda: None


def _check_page_header() -> None:
    """Forbidden for a change that is authorised by the cookie and does not come from our page."""
    changes = request.method not in READING
    if changes and "Authorization" not in request.headers and request.headers.get(PAGE_HEADER) != PAGE_VALUE:
        raise Forbidden(
            f"With the page's cookie, changes need the header `{PAGE_HEADER}: {PAGE_VALUE}`.", code="auth.page_header"
        )


def shown_cookie() -> str | None:
    """What the page's cookie of this request holds; None when it has none."""
    return request.cookies.get(_cookie_name()) or None


def sign_in(response: Response, principal: Principal, seconds: float) -> None:
    """Open a session and hand out its cookie. The session that this browser had ends: nobody would ever end it."""
    g.signed_in = principal
    if secret := shown_cookie():
        web().sessions.close(secret)
    agent = sanitised(request.headers.get("User-Agent", "")[:LONGEST_AGENT])
    opened = web().sessions.open(principal, seconds, agent=agent or None, address=request.remote_addr)
    response.set_cookie(
        _cookie_name(),
        opened,
        max_age=int(seconds),
        path="/",
        httponly=True,
        samesite="Strict",
        secure=_is_https(),
    )


def sign_out(response: Response) -> None:
    """End the session of this request's cookie, if there is one, and take the cookie back."""
    if secret := shown_cookie():
        web().sessions.close(secret)
    response.delete_cookie(_cookie_name(), path="/", httponly=True, samesite="Strict", secure=_is_https())


def _cookie_name() -> str:
    """By https, a name that browsers let nobody set for us: no other host of the domain, and nobody on plain http."""
    return HOST_COOKIE if _is_https() else COOKIE


def _is_https() -> bool:
    return base_url().startswith("https:")
