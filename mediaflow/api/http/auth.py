"""Who is asking: the principal of a bearer token or of the page's cookie, found before any view runs.

Whatever lies under `/api/v1` needs somebody, a plugin's operations too, except what is declared to be open.
"""

from __future__ import annotations

import re
from typing import Final, cast

from flask import Flask, Response, current_app, g, request

from mediaflow.api.http.context import BASE, base_url, runtime, web
from mediaflow.api.http.resource import OPEN, POLICY_ATTRIBUTE, Policy
from mediaflow.domain.errors import Forbidden, Unauthenticated
from mediaflow.services.access.principals import Principal

COOKIE: Final = "mediaflow_session"
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
    g.principal = _bearer() if "Authorization" in request.headers else _cookie()
    if g.principal is not None:
        _allow(g.principal, declared)
    elif declared.access == "required":
        raise Unauthenticated("This needs a token: send `Authorization: Bearer ...`, or sign in.")


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


def _bearer() -> Principal:
    match = _BEARER.fullmatch(request.headers["Authorization"])
    if match is None:
        raise Unauthenticated("The credentials must be `Authorization: Bearer <token>`.", code="auth.bad_token")
    return runtime().credentials.verify(match[1])


def _cookie() -> Principal | None:
    secret = request.cookies.get(COOKIE)
    principal = web().sessions.find(secret) if secret else None
    if principal is not None and request.method not in READING and request.headers.get(PAGE_HEADER) != PAGE_VALUE:
        raise Forbidden(
            f"With the page's cookie, changes need the header `{PAGE_HEADER}: {PAGE_VALUE}`.", code="auth.page_header"
        )
    return principal


def sign_in(response: Response, principal: Principal, seconds: float) -> None:
    """Open a session and hand out its cookie."""
    g.signed_in = principal
    secret = web().sessions.open(principal, seconds)
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(seconds),
        path="/",
        httponly=True,
        samesite="Strict",
        secure=base_url().startswith("https:"),
    )


def sign_out(response: Response) -> None:
    """End the session of this request's cookie, if there is one, and take the cookie back."""
    if secret := request.cookies.get(COOKIE):
        web().sessions.close(secret)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="Strict", secure=base_url().startswith("https:"))
