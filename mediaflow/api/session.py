"""The page's sign-in: a token or a one-time code becomes a cookie."""

from __future__ import annotations

import re
import time
from typing import Any, Final

from flask import Response, jsonify, request
from marshmallow import Schema, fields

from mediaflow.api.auth import sign_in, sign_out
from mediaflow.api.context import BASE, base_url, caller, caller_if_any, runtime
from mediaflow.api.errors import problem
from mediaflow.api.fields import Body, Text
from mediaflow.api.resource import Resource
from mediaflow.domain.errors import Unauthenticated
from mediaflow.domain.ids import is_id
from mediaflow.services.access import Principal

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

    token = Text(shortest=1, longest=8192, required=True)


class SessionSchema(Schema):
    """Who is signed in."""

    user = fields.String(required=True)
    role = fields.String(required=True)


@blueprint.operation("POST", "", takes=SessionBody, gives={200: SessionSchema}, fails=(401,), access="open")
def create_session(body: dict[str, Any]) -> Response:
    """Sign in; the answer sets the page's cookie."""
    longest = float(runtime().settings.session_seconds)
    if _CODE.fullmatch(body["token"]):
        principal = runtime().login_codes.redeem(body["token"])
    else:
        principal, ends = runtime().tokens.read(body["token"])
        longest = min(longest, ends - time.time())  # a session does not outlive the token that opened it
    response = jsonify(_document(principal))
    sign_in(response, principal, longest)
    return response


@blueprint.operation("GET", "", gives={200: SessionSchema})
def get_session() -> dict[str, str]:
    """Who I am."""
    return _document(caller())


@blueprint.operation("DELETE", "", gives={204: None}, access="optional")
def delete_session() -> Response:
    """Sign out; the cookie is worth nothing afterwards."""
    response = Response(status=204)
    sign_out(response)
    return response


@login_blueprint.operation("GET", "/<code>", gives={303: None}, fails=(401,), access="optional")
def use_login_link(code: str) -> Response:
    """Sign in by a one-time link.

    Goes on to the page, with `?asset=<id>` to the asset's player. Opening the link again while signed in does no harm.
    """
    asset = request.args.get("asset", "")
    target = f"{base_url()}/#/watch/{asset}" if is_id(asset) else f"{base_url()}/"
    response = Response(status=303, headers={"Location": target, "Cache-Control": "no-store"})
    if caller_if_any() is None and request.method != "HEAD":  # programs that preview links must not use it up
        try:
            principal = runtime().login_codes.redeem(code)
        except Unauthenticated as error:
            return _failed(error)
        sign_in(response, principal, float(runtime().settings.session_seconds))
    return response


def _failed(error: Unauthenticated) -> Response:
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
        return Response(_LOGIN_FAILED, 401, mimetype="text/html")
    return problem(401, error.code, error.detail)


def _document(principal: Principal) -> dict[str, str]:
    return {"user": principal.user, "role": principal.role}
