"""Limited credentials: a scope opens its operations and nothing else, through tokens, sessions and keys alike."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from mediaflow.api.http.resource import POLICY_ATTRIBUTE, Policy
from mediaflow.services.access.principals import SCOPES, Role
from tests.api.jwt_attacks import local_token
from tests.api.site import Api, Site, is_problem

PAGE = {"X-Requested-With": "mediaflow"}
NOBODYS = "0" * 32

OPERATIONS: list[tuple[str, str, Any, str | None]] = [
    ("GET", "/assets", None, "assets:read"),
    ("GET", f"/assets/{NOBODYS}", None, "assets:read"),
    ("POST", f"/assets/{NOBODYS}/playback", None, "assets:read"),
    ("GET", f"/assets/{NOBODYS}/shares", None, "assets:read"),
    ("GET", "/jobs", None, "assets:read"),
    ("GET", "/api-keys", None, "assets:read"),
    ("PATCH", f"/assets/{NOBODYS}", {"title": "New"}, "assets:write"),
    ("DELETE", f"/assets/{NOBODYS}", None, "assets:write"),
    ("PUT", f"/assets/{NOBODYS}/shares", {"users": []}, "assets:write"),
    ("POST", f"/assets/{NOBODYS}/revoke-playback", None, "assets:write"),
    ("POST", "/api-keys", {"name": "CI", "scopes": ["keys:write"]}, "keys:write"),
    ("DELETE", f"/api-keys/{NOBODYS}", None, "keys:write"),
    ("DELETE", "/api-keys", None, "keys:write"),
    ("GET", "/sessions", None, "assets:read"),
    ("DELETE", f"/sessions/{NOBODYS}", None, "keys:write"),
    ("DELETE", "/sessions", None, "keys:write"),
    ("POST", "/uploads", {"filename": "a.mp4", "size_bytes": 5}, "uploads:write"),
    ("PUT", f"/uploads/{NOBODYS}/chunks/0", None, "uploads:write"),
    ("GET", f"/uploads/{NOBODYS}", None, "uploads:write"),
    ("POST", f"/uploads/{NOBODYS}/complete", None, "uploads:write"),
    ("DELETE", f"/uploads/{NOBODYS}", None, "uploads:write"),
    ("GET", "/session", None, None),
    ("DELETE", "/session", None, None),
]


def limited(site: Site, scopes: list[str], role: Role = "user") -> Api:
    return Api(site.client, site.world.runtime.tokens.mint("ann", role, 600, scopes))


@pytest.mark.parametrize("held", [[], *([scope] for scope in SCOPES), list(SCOPES)], ids=lambda held: "+".join(held))
def test_a_scope_opens_its_own_operations_only(site: Site, held: list[str]) -> None:
    ann = limited(site, held)
    for method, path, body, needed in OPERATIONS:
        answer = ann.call(method, path, json=body) if body is not None else ann.call(method, path)
        if needed is None or needed in held:
            assert answer.status_code not in (401, 403), (method, path, answer.text)
        else:
            assert needed in is_problem(answer, 403, "auth.scope")["detail"]


@pytest.mark.parametrize(("role", "held"), [("user", SCOPES), ("user", ["admin"]), ("admin", ["assets:read"])])
def test_operations_of_admins_need_the_role_and_the_scope(site: Site, role: Role, held: Any) -> None:
    for method, path in admins_operations(site.client.application):
        is_problem(limited(site, held, role).call(method, path), 403)


def admins_operations(app: Flask) -> list[tuple[str, str]]:
    """Every operation for admins only that needs no more than its address."""
    found = []
    for rule in app.url_map.iter_rules():
        policy: Policy | None = getattr(app.view_functions[rule.endpoint], POLICY_ATTRIBUTE, None)
        if policy is not None and policy.admin and not rule.arguments:
            method = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})[0]
            found.append((method, rule.rule.removeprefix("/api/v1")))
    return found


@pytest.mark.parametrize(
    ("scope", "opens"),
    [
        ("assets:read openid email", {"assets:read"}),
        ("", set()),
        ("assets:*", set()),
        ("ASSETS:READ", set()),
        ("assets:read\tassets:write", set()),
        ("assets:read  uploads:write", {"assets:read", "uploads:write"}),
    ],
)
def test_scopes_that_there_are_not_open_nothing(site: Site, scope: str, opens: set[str]) -> None:
    ann = Api(site.client, local_token(site, scope=scope))
    assert set(ann.get("/session").get_json()["scopes"]) == opens


def test_a_session_keeps_the_limits_of_the_token_that_opened_it(site: Site) -> None:
    # given
    browser = site.client.application.test_client()
    token = limited(site, ["assets:read"]).token
    assert browser.post("/api/v1/session", json={"token": token}).get_json()["scopes"] == ["assets:read"]

    # then
    assert browser.get("/api/v1/assets").status_code == 200
    is_problem(
        browser.post("/api/v1/uploads", json={"filename": "a", "size_bytes": 1}, headers=PAGE), 403, "auth.scope"
    )
    is_problem(browser.post("/api/v1/api-keys", json={"name": "CI"}, headers=PAGE), 403, "auth.scope")


def test_a_session_does_not_make_its_token_longer(site: Site) -> None:
    browser = site.client.application.test_client()
    token = site.world.runtime.tokens.mint("ann", "user", 1)
    cookie = browser.post("/api/v1/session", json={"token": token}).headers["Set-Cookie"]
    assert "Max-Age=0" in cookie or "Max-Age=1" in cookie
