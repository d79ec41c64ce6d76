"""Signed-in browsers: listed and ended one by one, one for each browser, under a name that nobody else can set."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from mediaflow.api.http.auth import COOKIE, HOST_COOKIE
from tests.api.site import Api, Site, is_problem

PAGE = {"X-Requested-With": "mediaflow"}
HTTPS = "https://media.example"


def browser(site: Site, user: str, *, agent: str = "Firefox", **options: Any) -> FlaskClient:
    """A browser of theirs that is signed in."""
    client = site.client.application.test_client()
    sign_in(site, client, user, agent=agent, **options)
    return client


def sign_in(site: Site, client: FlaskClient, user: str, *, agent: str = "Firefox", **options: Any) -> Any:
    body = {"token": site.as_user(user).token}
    answer = client.post("/api/v1/session", json=body, headers={"User-Agent": agent}, **options)
    assert answer.status_code == 200, answer.text
    return answer


def listed(client: FlaskClient, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"/api/v1/sessions{query}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.get_json()["items"]
    return items


def is_signed_in(client: FlaskClient) -> bool:
    return client.get("/api/v1/session").status_code == 200


def test_sessions_are_listed_and_ended_one_by_one(site: Site, bob: Api, admin: Api) -> None:
    # given
    home, work = browser(site, "ann", agent="Firefox"), browser(site, "ann", agent="Chrome\x7f" + "x" * 900)
    other = browser(site, "bob")
    sessions = listed(home)
    assert [(each["agent"][:8], each["current"], each["user"]) for each in sessions] == [
        ("Chromexx", False, "ann"),
        ("Firefox", True, "ann"),
    ]
    assert len(sessions[0]["agent"]) <= 200
    assert sessions[1]["address"] == "127.0.0.1"
    # the id, which is told, opens nothing
    secret = home.get_cookie(COOKIE)
    assert secret is not None
    assert secret.value not in str(sessions)
    stranger = site.client.application.test_client()
    stranger.set_cookie(COOKIE, sessions[1]["id"])
    assert not is_signed_in(stranger)

    # when
    is_problem(bob.call("DELETE", f"/sessions/{sessions[0]['id']}"), 404, "auth.no_such_session")
    is_problem(home.delete(f"/api/v1/sessions/{sessions[0]['id']}"), 403, "auth.page_header")
    assert is_signed_in(work)
    assert home.delete(f"/api/v1/sessions/{sessions[0]['id']}", headers=PAGE).status_code == 204

    # then
    assert (is_signed_in(home), is_signed_in(work), is_signed_in(other)) == (True, False, True)
    assert [each["id"] for each in listed(home)] == [sessions[1]["id"]]
    is_problem(home.delete(f"/api/v1/sessions/{sessions[0]['id']}", headers=PAGE), 404)
    is_problem(bob.get("/sessions?user=ann"), 403, "auth.role")
    assert admin.get("/sessions?user=ann").get_json()["total"] == 1
    assert admin.call("DELETE", f"/sessions/{sessions[1]['id']}").status_code == 204
    assert not is_signed_in(home)


def test_all_but_this_one_end_at_once(site: Site, bob: Api, admin: Api) -> None:
    home, *others = [browser(site, "ann") for _ in range(3)]
    is_problem(bob.call("DELETE", "/sessions?user=ann"), 403, "auth.role")
    assert home.delete("/api/v1/sessions", headers=PAGE).get_json() == {"ended": 2}
    assert [is_signed_in(client) for client in (home, *others)] == [True, False, False]
    assert admin.call("DELETE", "/sessions?user=ann").get_json() == {"ended": 1}
    assert not is_signed_in(home)


def test_a_login_code_is_no_session(site: Site, admin: Api) -> None:
    code = site.world.runtime.login_codes.create("root", "admin", 60)
    assert admin.get("/sessions").get_json()["items"] == []
    assert admin.call("DELETE", "/sessions").get_json() == {"ended": 0}
    client = site.client.application.test_client()
    assert client.get(f"/login/{code}").status_code == 303
    assert len(listed(client)) == 1


def test_the_old_session_ends_at_a_new_sign_in_on_the_same_browser(site: Site) -> None:
    """Seen: it went on for twelve hours, in a cookie that nobody had any more to sign out with."""
    home = browser(site, "ann")
    old, elsewhere = home.get_cookie(COOKIE), browser(site, "ann")
    assert old is not None
    sign_in(site, home, "bob")
    thief = site.client.application.test_client()
    thief.set_cookie(COOKIE, old.value)
    assert not is_signed_in(thief)
    assert (is_signed_in(home), is_signed_in(elsewhere)) == (True, True)


def test_by_https_the_cookie_is_one_that_nobody_else_can_set(site: Site) -> None:
    """`__Host-`: no other host of the domain and nobody on plain http can sign somebody in as they like."""
    client = site.client.application.test_client()
    cookie = sign_in(site, client, "ann", base_url=HTTPS).headers["Set-Cookie"]
    assert cookie.startswith(f"{HOST_COOKIE}=")
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    secret = cookie.split("=", 1)[1].split(";")[0]
    ask = site.client.application.test_client(use_cookies=False).get
    for base, name, status in (
        (HTTPS, HOST_COOKIE, 200),
        (HTTPS, COOKIE, 401),
        ("http://media.example", COOKIE, 200),
        ("http://media.example", HOST_COOKIE, 401),
    ):
        answer = ask("/api/v1/session", base_url=base, headers={"Cookie": f"{name}={secret}"})
        assert answer.status_code == status, (base, name)
    signed_out = client.delete("/api/v1/session", base_url=HTTPS, headers=PAGE)
    assert signed_out.headers["Set-Cookie"].startswith(f"{HOST_COOKIE}=;")


@pytest.mark.parametrize("address", ["http://192.168.1.5:8080", "http://localhost"])
def test_on_plain_http_in_a_lan_signing_in_works_as_before(site: Site, address: str) -> None:
    client = site.client.application.test_client()
    cookie = sign_in(site, client, "ann", base_url=address).headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "Secure" not in cookie
    assert client.get("/api/v1/session", base_url=address).status_code == 200
