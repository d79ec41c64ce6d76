"""Who gets in: bearer tokens, the page's cookie, one-time links; and what every answer carries."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, NoReturn, cast

import pytest
from flask import Blueprint
from flask.testing import FlaskClient
from flask_smorest import Blueprint as DocumentedBlueprint  # type: ignore[import-untyped]

from mediaflow.app import create_app
from mediaflow.domain.errors import (
    Busy,
    ConfigurationError,
    Forbidden,
    InsufficientStorage,
    MediaflowError,
    TaskFailed,
    Unavailable,
)
from mediaflow.observability.metrics import PrometheusMetrics
from mediaflow.registry import Registry
from mediaflow.registry.offers import Offers
from tests.api.site import Api, Site, is_problem

PAGE = {"X-Requested-With": "mediaflow"}
SCOPES = ["assets:read", "assets:write", "originals:read", "uploads:write", "keys:write"]
ANN = {"user": "ann", "role": "user", "scopes": SCOPES}


@pytest.fixture
def browser(site: Site) -> FlaskClient:
    """A client that keeps cookies."""
    return site.client.application.test_client()


def signed_in(site: Site, browser: FlaskClient, user: str = "ann") -> FlaskClient:
    answer = browser.post("/api/v1/session", json={"token": site.as_user(user).token})
    assert answer.status_code == 200, answer.text
    return browser


def sign_ins(site: Site) -> dict[str, float]:
    """How many there were, by credential and outcome; what never happened is left out."""
    metrics = cast(PrometheusMetrics, site.world.runtime.metrics)
    family = next(each for each in metrics.registry.collect() if each.name == "mediaflow_sign_ins")
    return {" ".join(sample.labels.values()): sample.value for sample in family.samples if sample.value}


def test_sign_ins_are_counted_done_or_refused(site: Site, browser: FlaskClient) -> None:
    code = site.world.runtime.login_codes.create("ann", "user", 60)
    signed_in(site, browser)
    for _ in range(2):
        site.client.post("/api/v1/session", json={"token": "x"})
        site.client.get(f"/login/{code}")
    site.client.post("/api/v1/session", json={"token": "x" * 43})
    assert sign_ins(site) == {"token done": 1, "token refused": 2, "link done": 1, "link refused": 2}


# --- bearer


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/uploads"),
        ("PUT", f"/uploads/{'0' * 32}/chunks/0"),
        ("GET", f"/uploads/{'0' * 32}"),
        ("POST", f"/uploads/{'0' * 32}/complete"),
        ("DELETE", f"/uploads/{'0' * 32}"),
        ("GET", "/assets"),
        ("GET", f"/assets/{'0' * 32}"),
        ("PATCH", f"/assets/{'0' * 32}"),
        ("DELETE", f"/assets/{'0' * 32}"),
        ("POST", f"/assets/{'0' * 32}/restore"),
        ("GET", "/jobs"),
        ("GET", f"/jobs/{'0' * 32}"),
        ("GET", "/profiles"),
        ("GET", "/plugins"),
        ("GET", "/session"),
    ],
)
def test_without_a_token_nothing_is_told(stranger: Api, method: str, path: str) -> None:
    answer = stranger.call(method, path)
    is_problem(answer, 401, "auth.required")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer a.b.c", "Basic YTpi", "Bearer \xff", "x" * 4000])
def test_what_is_no_valid_token_is_refused(stranger: Api, header: str) -> None:
    is_problem(stranger.get("/assets", headers={"Authorization": header}), 401, "auth.bad_token")


def test_an_expired_token_says_so(site: Site, stranger: Api) -> None:
    token = site.world.runtime.tokens.mint("ann", "user", -1)
    is_problem(stranger.get("/assets", headers={"Authorization": f"Bearer {token}"}), 401, "auth.token_expired")


@pytest.mark.parametrize("path", ["/", "/api/v1/openapi.json", "/api/v1/docs", "/livez", "/readyz"])
def test_what_is_open_needs_no_token(site: Site, path: str) -> None:
    assert site.client.get(path).status_code == 200


class WithBlueprint:
    """The installed plugins, and one more that has only a blueprint."""

    def __init__(self, registry: Registry, blueprint: Blueprint) -> None:
        self.registry, self.blueprint = registry, blueprint

    def blueprints(self, context_of: Any) -> Offers[Blueprint]:
        offered = self.registry.blueprints(context_of)
        name = self.blueprint.name
        return Offers({**offered.things, name: self.blueprint}, {**offered.owners, name: "local"})

    def __getattr__(self, name: str) -> Any:
        return getattr(self.registry, name)


def hello() -> dict[str, str]:
    """Say hello."""
    return {"hello": "there"}


@pytest.mark.parametrize("kind", [Blueprint, DocumentedBlueprint])
def test_a_plugins_views_need_a_token_like_any_other(
    site: Site, ann: Api, stranger: Api, kind: type[Blueprint]
) -> None:
    blueprint = kind("example", __name__)
    blueprint.add_url_rule("/hello", view_func=hello)
    plugins: Any = WithBlueprint(site.world.runtime.plugins, blueprint)
    app = create_app(site.world.runtime.settings, replace(site.world.runtime, plugins=plugins))
    stranger.client = ann.client = app.test_client(use_cookies=False)
    is_problem(stranger.get("/plugins/example/hello"), 401)
    assert ann.get("/plugins/example/hello").get_json() == {"hello": "there"}
    paths = ann.get("/openapi.json").get_json()["paths"]
    assert ("/api/v1/plugins/example/hello" in paths) == (kind is DocumentedBlueprint)


# --- the page's session


def test_signing_in_sets_a_cookie_that_scripts_can_not_read(site: Site, browser: FlaskClient) -> None:
    answer = browser.post("/api/v1/session", json={"token": site.as_user("ann").token})
    assert answer.get_json() == ANN
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert browser.get("/api/v1/session").get_json() == ANN
    assert browser.get("/api/v1/assets").status_code == 200


def test_the_cookie_is_secure_where_the_site_is(site: Site, browser: FlaskClient) -> None:
    token = {"token": site.as_user("ann").token}
    answer = browser.post("/api/v1/session", json=token, base_url="https://media.example")
    assert "Secure" in answer.headers["Set-Cookie"].split("; ")


def test_a_session_ends_with_the_token_that_opened_it(site: Site, browser: FlaskClient) -> None:
    answer = browser.post("/api/v1/session", json={"token": site.as_user("ann").token})
    match = re.search(r"Max-Age=(\d+)", answer.headers["Set-Cookie"])
    assert match is not None
    assert 0 < int(match[1]) <= 600


@pytest.mark.parametrize("token", ["nonsense", "a" * 43, "a.b.c"])
def test_nobody_signs_in_with_nonsense(browser: FlaskClient, token: str) -> None:
    answer = browser.post("/api/v1/session", json={"token": token})
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers


def test_changes_by_cookie_need_the_pages_header(site: Site, browser: FlaskClient) -> None:
    body = {"filename": "clip.mp4", "size_bytes": 10}
    signed_in(site, browser)
    is_problem(browser.post("/api/v1/uploads", json=body), 403, "auth.page_header")
    assert browser.post("/api/v1/uploads", json=body, headers=PAGE).status_code == 201
    is_problem(browser.delete("/api/v1/session"), 403)


def test_signing_out_ends_the_session_everywhere(site: Site, browser: FlaskClient) -> None:
    signed_in(site, browser)
    cookie = browser.get_cookie("mediaflow_session")
    assert cookie is not None
    assert browser.delete("/api/v1/session", headers=PAGE).status_code == 204
    is_problem(browser.get("/api/v1/session"), 401)
    browser.set_cookie("mediaflow_session", cookie.value)
    is_problem(browser.get("/api/v1/session"), 401)


def test_a_bad_bearer_token_is_not_saved_by_a_cookie(site: Site, browser: FlaskClient) -> None:
    signed_in(site, browser)
    is_problem(browser.get("/api/v1/assets", headers={"Authorization": "Bearer x"}), 401)


def test_a_session_secret_is_no_bearer_token(site: Site, browser: FlaskClient) -> None:
    cookie = signed_in(site, browser).get_cookie("mediaflow_session")
    assert cookie is not None
    is_problem(site.client.get("/api/v1/assets", headers={"Authorization": f"Bearer {cookie.value}"}), 401)


# --- one-time links


def test_a_login_link_signs_in_once_and_leads_to_the_page(site: Site, browser: FlaskClient) -> None:
    code = site.world.runtime.login_codes.create("root", "admin", 60)
    answer = browser.get(f"/login/{code}")
    assert (answer.status_code, answer.headers["Location"]) == (303, "http://localhost/")
    assert browser.get("/api/v1/session").get_json()["role"] == "admin"
    is_problem(site.client.get(f"/login/{code}"), 401, "auth.login_code")
    assert browser.get(f"/login/{code}").status_code == 303


def test_a_login_link_leads_to_an_assets_player(site: Site, browser: FlaskClient) -> None:
    asset_id = "ab" * 16
    code = site.world.runtime.login_codes.create("root", "admin", 60)
    answer = browser.get(f"/login/{code}?asset={asset_id}")
    assert answer.headers["Location"] == f"http://localhost/#/watch/{asset_id}"


def test_looking_at_the_head_of_a_link_does_not_use_it_up(site: Site, browser: FlaskClient) -> None:
    code = site.world.runtime.login_codes.create("root", "admin", 60)
    answer = site.client.head(f"/login/{code}")
    assert "Set-Cookie" not in answer.headers
    assert browser.get(f"/login/{code}").status_code == 303


@pytest.mark.parametrize("asset", ["//evil.example", "javascript:alert(1)", "../x", ""])
def test_a_login_link_leads_nowhere_else(site: Site, browser: FlaskClient, asset: str) -> None:
    code = site.world.runtime.login_codes.create("root", "admin", 60)
    answer = browser.get(f"/login/{code}", query_string={"asset": asset})
    assert answer.headers["Location"] == "http://localhost/"


def test_a_used_link_explains_itself_to_people(site: Site) -> None:
    answer = site.client.get("/login/used", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (answer.status_code, answer.mimetype) == (401, "text/html")
    assert "no longer works" in answer.text


def test_a_code_signs_in_by_the_form_too(site: Site, browser: FlaskClient) -> None:
    code = site.world.runtime.login_codes.create("root", "admin", 60)
    assert browser.post("/api/v1/session", json={"token": code}).get_json()["role"] == "admin"
    assert site.client.post("/api/v1/session", json={"token": code}).status_code == 401


# --- every answer


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/assets/", 404),
        ("PUT", "/api/v1/assets", 405),
        ("DELETE", "/", 405),
        ("TRACE", "/api/v1/assets", 405),
    ],
)
def test_flasks_own_errors_are_problems_too(site: Site, method: str, path: str, status: int) -> None:
    answer = site.client.open(path, method=method)
    is_problem(answer, status)
    assert ("Allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize(
    ("sent", "kept"), [("client-chose-it", True), ("short", False), ("x" * 65, False), ("a\tb" * 5, False)]
)
def test_a_request_has_an_id_that_the_client_may_choose(site: Site, sent: str, kept: bool) -> None:
    answer = site.client.get("/nothing", headers={"X-Request-Id": sent})
    assert (answer.headers["X-Request-Id"] == sent) == kept
    assert len(is_problem(answer, 404)["request_id"]) >= 8


def test_answers_tell_browsers_not_to_guess_and_not_to_run(site: Site, ann: Api) -> None:
    api, page = ann.get("/assets"), site.client.get("/")
    for answer in (api, page):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "Referrer-Policy" in answer.headers
    assert "default-src 'none'" in api.headers["Content-Security-Policy"]
    assert "media-src 'self' blob:" in page.headers["Content-Security-Policy"]


@pytest.fixture
def failing(site: Site) -> tuple[FlaskClient, list[Exception]]:
    """A client of an application with a view that raises what stands in the list."""
    errors: list[Exception] = []
    app = create_app(site.world.runtime.settings, site.world.runtime)

    def fail() -> NoReturn:
        raise errors[0]

    app.add_url_rule("/fail", view_func=fail)
    return app.test_client(), errors


@pytest.mark.parametrize(
    ("error", "status", "code", "retry_after"),
    [
        (Busy("Wait.", retry_after_seconds=7), 409, "request.busy", "7"),
        (Unavailable("Away."), 503, "storage.unavailable", "5"),
        (InsufficientStorage("Full.", free_bytes=5), 507, "storage.full", None),
        (Forbidden("No."), 403, "auth.forbidden", None),
        (TaskFailed("secret path /srv/x"), 500, "job.task_failed", None),
        (ConfigurationError("secret path /srv/x"), 500, "configuration.invalid", None),
        (MediaflowError("secret path /srv/x"), 500, "internal.error", None),
        (ValueError("secret path /srv/x"), 500, "internal.error", None),
    ],
)
def test_every_error_has_its_status_and_no_fault_of_ours_tells_secrets(
    failing: tuple[FlaskClient, list[Exception]], error: Exception, status: int, code: str, retry_after: str | None
) -> None:
    client, errors = failing
    errors.append(error)
    answer = client.get("/fail")
    is_problem(answer, status, code)
    assert answer.headers.get("Retry-After") == retry_after
    assert "secret" not in answer.text
    assert "free_bytes" not in answer.text
