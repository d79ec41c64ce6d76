"""Tokens that are attacks open nothing: neither operations that read, nor those that change, nor the sign-in.

The table of tokens is in `jwt_attacks.py`; here are also the places where a good one does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import jwt
import pytest
from werkzeug.datastructures import Headers

from mediaflow.app import create_app
from mediaflow.persistence.http_keys import fetch_keys
from mediaflow.services.access.jwks import COOLDOWN_SECONDS, KeySet
from mediaflow.services.access.outside import OutsideUsers, outside_id
from mediaflow.services.access.tokens import OutsideTokens
from tests.api.issuer import AUDIENCE, NAME, running_issuer, usual_claims
from tests.api.jwt_attacks import ATTACKS, EC, RSA, Attacked
from tests.api.server import Server, running_server
from tests.api.site import Api, Site, is_problem
from tests.services.world import make_world


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    with running_issuer() as issuer:
        issuer.publish(first=RSA, second=EC)
        outside = {"jwks_url": issuer.url, "jwks_issuer": NAME, "jwks_audience": AUDIENCE}
        outside |= {"jwks_role_claim": "role", "jwks_admin_values": "admin"}
        # nobody is told to wait, since every attack comes from the same address
        world = make_world(tmp_path_factory.mktemp("data"), login_failures_per_minute="0", **outside)
        app = create_app(world.runtime.settings, world.runtime)
        site = Site(world, app.test_client(use_cookies=False))
        yield Attacked(site, issuer, site.published())
        world.runtime.close()


def probes(a: Attacked) -> list[tuple[str, str, Any]]:
    """Reading, changing, and what is open to some without any token."""
    return [
        ("GET", "/assets", None),
        ("GET", "/session", None),
        ("DELETE", f"/assets/{a.asset.id}", None),
        ("POST", "/uploads", {"filename": "a.mp4", "size_bytes": 5}),
        ("POST", f"/assets/{a.asset.id}/playback", None),
    ]


def on_the_wire(text: str) -> str:
    """A header's value as WSGI gives it: bytes, each as one character (PEP 3333)."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def refused(a: Attacked, headers: Headers, statuses: tuple[int, ...] = (401,)) -> None:
    client = a.site.client.application.test_client(use_cookies=False)
    for method, path, body in probes(a):
        answer = client.open(f"/api/v1{path}", method=method, json=body, headers=headers)
        assert answer.status_code in statuses, (method, path, answer.text)
        assert answer.get_json()["code"].startswith(("auth.", "asset.not_found"))
    assert a.site.world.runtime.database.assets.get(a.asset.id) == a.asset


def test_there_are_enough_attacks() -> None:
    assert len(ATTACKS) >= 60


def test_what_is_no_attack_gets_in(attacked: Attacked) -> None:
    """Or the refusals below would say nothing."""
    signed = jwt.encode(usual_claims(role="admin"), EC, "ES256", {"kid": "second"})
    good = [attacked.local(), attacked.local(aud=["other", "mediaflow"], nbf=1, exp=4e9)]
    good += [attacked.local({"typ": "at+jwt"}), attacked.local({"typ": "application/JWT", "kid": "ignored"})]
    ann = outside_id(NAME, "ann")
    for token, user in [*((token, "ann") for token in good), (attacked.outside(), ann), (signed, ann)]:
        api = Api(attacked.site.client, token)
        assert api.get("/session").get_json()["user"] == user
        assert api.call("POST", f"/assets/{attacked.asset.id}/playback").status_code == 200


@pytest.mark.parametrize("name", ATTACKS)
def test_a_token_that_is_an_attack_opens_nothing(attacked: Attacked, name: str) -> None:
    token = ATTACKS[name](attacked)
    refused(attacked, Headers({"Authorization": f"Bearer {on_the_wire(token)}"}))


@pytest.mark.parametrize("name", ATTACKS)
def test_nobody_signs_in_with_an_attack(attacked: Attacked, name: str) -> None:
    token = ATTACKS[name](attacked)
    answer = attacked.site.client.post("/api/v1/session", json={"token": token})
    # 422: longer than any token, 413: than any body of somebody who is not known; 200 would be one
    assert answer.status_code in ((413, 422) if len(token) > 8192 else (401,)), answer.text
    assert "Set-Cookie" not in answer.headers


PLACES: dict[str, Callable[[str], list[tuple[str, str]]]] = {
    "twice": lambda token: [("Authorization", f"Bearer {token}")] * 2,
    "after nonsense": lambda token: [("Authorization", "Bearer x"), ("Authorization", f"Bearer {token}")],
    "before nonsense": lambda token: [("Authorization", f"Bearer {token}"), ("Authorization", "Bearer x")],
    "as another scheme": lambda token: [("Authorization", f"Basic {token}")],
    "as JWT": lambda token: [("Authorization", f"JWT {token}")],
    "as Bearer twice": lambda token: [("Authorization", f"Bearer Bearer {token}")],
    "without a scheme": lambda token: [("Authorization", token)],
    "without a space": lambda token: [("Authorization", f"Bearer{token}")],
    "after a colon": lambda token: [("Authorization", f"Bearer: {token}")],
    "after a tab": lambda token: [("Authorization", f"Bearer\t{token}")],
    "after a space that does not break": lambda token: [("Authorization", f"Bearer \xa0{token}")],
    "before one": lambda token: [("Authorization", f"Bearer {token}\x85")],
    "in quotes": lambda token: [("Authorization", f'Bearer "{token}"')],
    "with a parameter": lambda token: [("Authorization", f"Bearer {token}, realm=x")],
    "of Digest": lambda token: [("Authorization", f'Digest username="admin", response="{token}"')],
    "empty": lambda token: [("Authorization", "")],
}
ELSEWHERE: dict[str, Callable[[str], list[tuple[str, str]]]] = {
    "as the cookie": lambda token: [("Cookie", f"mediaflow_session={token}"), ("X-Requested-With", "mediaflow")],
    "as another cookie": lambda token: [("Cookie", f"token={token}; access_token={token}; Authorization={token}")],
    **{
        f"in {name}": partial(lambda name, token: [(name, f"Bearer {token}")], name)
        for name in ("X-Authorization", "Proxy-Authorization", "X-Forwarded-Authorization", "X-Api-Key", "X-User")
    },
    "as a name": lambda token: [("X-Remote-User", "admin"), ("X-Forwarded-User", "admin"), ("Remote-User", "admin")],
}


@pytest.mark.parametrize("name", PLACES)
def test_a_good_token_in_a_bad_header_opens_nothing(attacked: Attacked, name: str) -> None:
    refused(attacked, Headers(PLACES[name](attacked.local())))


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_good_token_elsewhere_is_no_credential(attacked: Attacked, name: str) -> None:
    # 404: the playback of an asset that a stranger may not know of
    refused(attacked, Headers(ELSEWHERE[name](attacked.local())), (401, 404))


@pytest.mark.parametrize("name", ["token", "access_token", "jwt", "authorization", "api_key"])
def test_a_token_in_the_query_is_no_credential(attacked: Attacked, name: str) -> None:
    answer = attacked.site.client.get("/api/v1/session", query_string={name: attacked.local()})
    is_problem(answer, 401, "auth.required")
    answer = attacked.site.client.post("/api/v1/uploads", data={name: attacked.local()})
    is_problem(answer, 401, "auth.required")


def test_keys_that_were_rotated_out_open_nothing(attacked: Attacked) -> None:
    """Over the application: a new key is taken, the old one's tokens end, and nobody's session is in the way."""
    # given
    runtime, now = attacked.site.world.runtime, [1000.0]
    with running_issuer() as issuer:
        issuer.publish(first=RSA)
        keys = KeySet(partial(fetch_keys, issuer.url), lambda: now[0])
        credentials = replace(runtime.credentials, outside=OutsideTokens(keys, OutsideUsers(NAME), AUDIENCE))
        app = create_app(runtime.settings, replace(runtime, credentials=credentials))
        old = Api(app.test_client(), issuer.mint(RSA, "first"))
        new = Api(app.test_client(), issuer.mint(EC, "second"))
        assert old.get("/session").status_code == 200
        is_problem(new.get("/session"), 401)

        # when
        issuer.publish(second=EC)
        now[0] += COOLDOWN_SECONDS

        # then
        assert new.get("/session").get_json()["user"] == outside_id(NAME, "ann")
        is_problem(old.get("/session"), 401, "auth.bad_token")
        assert len(issuer.asked) == 2


def test_an_issuer_that_never_answered_is_our_trouble_and_nobody_is_let_in(attacked: Attacked) -> None:
    runtime = attacked.site.world.runtime
    outside = OutsideTokens(KeySet(partial(fetch_keys, "http://127.0.0.1:1/")), OutsideUsers(NAME), AUDIENCE)
    credentials = replace(runtime.credentials, outside=outside)
    app = create_app(runtime.settings, replace(runtime, credentials=credentials))
    answer = Api(app.test_client(), attacked.outside()).get("/assets")
    is_problem(answer, 503, "auth.issuer_away")
    assert int(answer.headers["Retry-After"]) > 0
    assert Api(app.test_client(), attacked.local()).get("/assets").status_code == 200


# --- over a real server: requests that no client library sends


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("web"), login_failures_per_minute="0") as started:
        yield started


def answered(server: Server, *lines: bytes) -> int:
    """The status of the answer to a request of these lines."""
    with server.connection() as connection:
        connection.sendall(
            b"\r\n".join((b"GET /api/v1/assets HTTP/1.1", b"Host: x", *lines, b"Connection: close", b"", b""))
        )
        received = b""
        while block := connection.recv(65536):
            received += block
    assert b"Traceback" not in received
    return int(received.split()[1])


@pytest.mark.parametrize(
    "lines",
    [
        [b"Authorization: Bearer %s", b"Authorization: Bearer %s"],
        [b"Authorization: Bearer x", b"authorization: Bearer %s"],
        [b"Authorization : Bearer %s"],
        [b"Authorization\t: Bearer %s"],
        [b" Authorization: Bearer %s"],
        [b"Authorization:", b" Bearer %s"],
        [b"Authorization_: Bearer %s"],
        [b"Authorization: Bearer %s\0"],
        [b"Authorization: Bearer \0%s"],
        [b"Authorization: Bearer\x0b%s"],
        [b"Authorization: Bearer %s\rX: y"],
        [b"Authorization: Bearer \xff%s"],
        [b"Authorization: Bearer %s" + b"A" * 9000],
        [b"X: y\nAuthorization: Bearer x", b"Authorization: Bearer %s"],
        [b"Proxy-Authorization: Bearer %s"],
    ],
)
def test_no_malformed_request_gets_in(server: Server, lines: list[bytes]) -> None:
    token = server.token.encode()
    assert answered(server, b"Authorization: Bearer " + token) == 200
    assert answered(server, *(line.replace(b"%s", token) for line in lines)) in (400, 401, 431)
