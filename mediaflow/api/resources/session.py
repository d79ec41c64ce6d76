"""The page's sign-in: a token or a one-time code becomes a cookie."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from flask import Response, jsonify, request
from marshmallow import Schema, fields, validate

from mediaflow.api.http.auth import sign_in, sign_out
from mediaflow.api.http.context import BASE, base_url, caller, caller_if_any, runtime
from mediaflow.api.http.errors import MISSING_FIELD, problem
from mediaflow.api.http.fields import Body
from mediaflow.api.http.resource import Resource
from mediaflow.domain.errors import Unauthenticated
from mediaflow.domain.ids import is_id
from mediaflow.services.access.api_keys import PREFIX
from mediaflow.services.access.jwt_form import LONGEST_TOKEN
from mediaflow.services.access.principals import ROLES, SCOPES, Principal

blueprint = Resource("session", __name__, url_prefix=f"{BASE}/session", description="Signing in and out of the page.")
login_blueprint = Resource("login", __name__, url_prefix="/login", description="One-time login links.")

_LOGIN_FAILED: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>mediaflow: sign in</title>
<h1>This login link no longer works</h1>
<p>It was used already, or it has expired. Each link signs in once; ask for a new one, or
<a href="/">sign in with a token</a>.</p>
</html>
"""
_CODE: Final = re.compile(r"[A-Za-z0-9_-]{20,100}")


class SessionBody(Body):
    """An API token, or the code of a one-time login link."""

    # taken as it is, but for white space around it: what is cleaned up would let many writings of a token pass
    token = fields.String(
        required=True,
        validate=validate.Length(1, LONGEST_TOKEN, error="must have {min} to {max} characters"),
        error_messages={"required": MISSING_FIELD, "null": "must not be null", "invalid": "must be text"},
        metadata={"description": "API keys are refused: they are for programs.", "examples": ["eyJhbGciOiJIUzI1NiJ9"]},
    )


class SessionSchema(Schema):
    """Who is asking, and what their credential opens."""

    user = fields.String(required=True, metadata={"examples": ["ann"]})
    role = fields.String(required=True, metadata={"enum": list(ROLES)})
    scopes = fields.List(fields.String(metadata={"enum": list(SCOPES)}), required=True)


@blueprint.operation("POST", "", takes=SessionBody, gives={200: SessionSchema}, fails=(401, 429), access="open")
def create_session(body: dict[str, Any]) -> Response:
    """Sign in.

    The answer sets the page's cookie. The session opens what the token opens, and ends with it at the latest.
    """
    longest, token = float(runtime().settings.session_seconds), body["token"].strip(" \t\r\n")
    if _CODE.fullmatch(token) and not token.startswith(PREFIX):
        with _counted("link"):
            principal = runtime().login_codes.redeem(token)
    else:
        with _counted("token"):
            principal, ends = runtime().credentials.read_token(token)
        longest = min(longest, ends - time.time())
    response = jsonify(_document(principal))
    sign_in(response, principal, longest)
    return response


@blueprint.operation("GET", "", gives={200: SessionSchema}, scope="any")
def get_session() -> dict[str, Any]:
    """Who I am.

    Of any credential: a token, an API key, or the page's cookie. `scopes` is what it opens.
    """
    return _document(caller())


@blueprint.operation("DELETE", "", gives={204: None}, access="optional", scope="any")
def delete_session() -> Response:
    """Sign out.

    The cookie is worth nothing afterwards, wherever it was copied to.
    """
    response = Response(status=204)
    sign_out(response)
    return response


@login_blueprint.operation("GET", "/<code>", gives={303: None}, fails=(401,), access="optional", scope="any")
def use_login_link(code: str) -> Response:
    """Sign in by a one-time link.

    Goes on to the page, with `?asset=<id>` to the asset's player. Opening the link again while signed in does no harm.
    """
    asset = request.args.get("asset", "")
    target = f"{base_url()}/#/watch/{asset}" if is_id(asset) else f"{base_url()}/"
    response = Response(status=303, headers={"Location": target, "Cache-Control": "no-store"})
    if caller_if_any() is None and request.method != "HEAD":  # programs that preview links must not use it up
        try:
            with _counted("link"):
                principal = runtime().login_codes.redeem(code)
        except Unauthenticated as error:
            return _failed(error)
        sign_in(response, principal, float(runtime().settings.session_seconds))
    return response


@contextmanager
def _counted(credential: str) -> Iterator[None]:
    """Count the sign-in that is tried in the block, which raises Unauthenticated when it is refused."""
    outcome = "done"
    try:
        yield
    except Unauthenticated:
        outcome = "refused"
        raise
    finally:
        runtime().metrics.count("mediaflow_sign_ins_total", credential=credential, outcome=outcome)


def _failed(error: Unauthenticated) -> Response:
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
        return Response(_LOGIN_FAILED, 401, mimetype="text/html")
    return problem(401, error.code, error.detail)


def _document(principal: Principal) -> dict[str, Any]:
    scopes = [scope for scope in SCOPES if scope in principal.scopes and (scope != "admin" or principal.is_admin)]
    return {"user": principal.user, "role": principal.role, "scopes": scopes}
