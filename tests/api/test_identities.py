"""Nobody is somebody else: users of an outside issuer, names that look alike, keys that outlive their issuer."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mediaflow.app import create_app
from mediaflow.domain.errors import ConfigurationError, InvalidInput
from mediaflow.services.access.names import local_name
from mediaflow.services.access.outside import is_outside_id, outside_id, outside_settings
from mediaflow.services.access.principals import Role
from mediaflow.services.access.tokens import Tokens
from mediaflow.settings import Settings
from tests.api.issuer import AUDIENCE, NAME, Issuer, rsa_key, running_issuer
from tests.api.site import Api, Site, is_problem
from tests.services.world import make_world

KEY = "a key of the tests, 32 bytes and more"
RSA = rsa_key("one")
House = Callable[..., Site]


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as running:
        running.publish(first=RSA)
        yield running


@pytest.fixture
def trusted(issuer: Issuer) -> dict[str, str]:
    """Settings that trust the issuer."""
    return {"jwks_url": issuer.url, "jwks_issuer": NAME, "jwks_audience": AUDIENCE}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Starts the service with these settings, over the same documents each time."""
    worlds = []

    def start(**settings: str) -> Site:
        worlds.append(make_world(tmp_path / "data", jwt_key=KEY, **settings))
        runtime = worlds[-1].runtime
        return Site(worlds[-1], create_app(runtime.settings, runtime).test_client(use_cookies=False))

    yield start
    for world in worlds:
        world.runtime.close()


def outsider(site: Site, issuer: Issuer, subject: str, **claims: Any) -> Api:
    return Api(site.client, issuer.mint(RSA, "first", sub=subject, **claims))


def made_key(api: Api, **fields: Any) -> Api:
    answer = api.call("POST", "/api-keys", json={"name": "CI"} | fields)
    assert answer.status_code == 201, answer.text
    return Api(api.client, answer.get_json()["key"])


# --- users are (issuer, subject)


@pytest.mark.parametrize("claims", [{}, {"role": "admin"}, {"role": ["admin"]}])
def test_an_outside_admin_is_not_the_local_one(
    house: House, trusted: dict[str, str], issuer: Issuer, claims: dict[str, Any]
) -> None:
    """Seen: `sub: admin` of the outside issuer read, patched, listed and revoked what was the local admin's."""
    # given
    site = house(**trusted)
    asset, admin = site.published(owner="admin", visibility="private"), site.as_user("admin")
    key = made_key(admin)
    (listed,) = admin.get("/api-keys").get_json()["items"]

    # when
    stranger = outsider(site, issuer, "admin", **claims)

    # then
    me = outside_id(NAME, "admin")
    assert stranger.get("/session").get_json() | {"scopes": []} == {"user": me, "role": "user", "scopes": []}
    is_problem(stranger.get(f"/assets/{asset.id}"), 404)
    is_problem(stranger.call("PATCH", f"/assets/{asset.id}", json={"title": "Mine"}), 404)
    assert stranger.get("/assets").get_json()["total"] == stranger.get("/api-keys").get_json()["total"] == 0
    is_problem(stranger.call("DELETE", f"/api-keys/{listed['id']}"), 404)
    is_problem(stranger.call("DELETE", "/api-keys?user=admin"), 403)
    is_problem(stranger.get("/health"), 403)
    assert key.get(f"/assets/{asset.id}").get_json()["owner"] == "admin"
    # what is theirs is under their own name, which can be shared with
    mine = stranger.announce()["asset_id"]
    assert stranger.get(f"/assets/{mine}").get_json()["owner"] == me
    assert stranger.get(f"/assets?owner={me}").get_json()["total"] == 1
    is_problem(site.as_user("admin").get(f"/assets/{mine}"), 404)
    admin.call("PUT", f"/assets/{asset.id}/shares", json={"users": [me]})
    assert stranger.get(f"/assets/{asset.id}").status_code == 200


SUBJECTS = (
    *("ann", "Ann", "ann ", "\u0430nn", "a~b", "a=7Eb", "a%7Eb", "~ann", "=", "=:", "a/b", "a.b", "..", "auth0|5f7c"),
    *("x" * 150, "x" * 255, "x" * 254 + "y", "\N{SNOWMAN}" * 60, "\N{SNOWMAN}" * 61, "=:" + "0" * 64),
)
ISSUERS = (NAME, "https://issuer.example", "http://issuer.example/", "https://[::1", "issuer.example", "https://x/~a")


def test_no_two_users_have_one_id() -> None:
    ids = [outside_id(issuer, subject) for issuer, subject in itertools.product(ISSUERS, SUBJECTS)]
    assert len(set(ids)) == len(ISSUERS) * len(SUBJECTS)
    for user in ids:
        assert len(user) <= 200
        assert set(user) <= set("~=:@._-") | {chr(c) for c in range(128) if chr(c).isalnum()}
        assert is_outside_id(user)
        with pytest.raises(InvalidInput):
            local_name(user)


@pytest.mark.parametrize("older", [False, True])
def test_nobody_mints_themselves_an_outside_user(house: House, older: bool) -> None:
    """A name that is shaped like an id of the outside issuer's is no local one, not even for who has the key."""
    site, theirs = house(), outside_id(NAME, "ann")
    site.published(owner=theirs)
    with pytest.raises(InvalidInput):
        site.world.runtime.tokens.mint(theirs, "user", 60)
    forged = site.world.runtime.tokens.mint(theirs, "user", 60, older=True)
    is_problem(Api(site.client, forged).get("/assets"), 401, "auth.bad_token")


def test_an_operator_says_which_values_make_admins(house: House, trusted: dict[str, str], issuer: Issuer) -> None:
    site = house(**trusted, jwks_role_claim="groups", jwks_admin_values="media-admins, root")
    roles: dict[Role, list[Any]] = {
        "admin": ["root", ["x", "media-admins"]],
        "user": ["admin", "Root", ["roots"], "media-admins, root", 1, None, [], [["root"]]],
    }
    for role, values in roles.items():
        for value in values:
            told = outsider(site, issuer, "ann", role="admin", groups=value).get("/session").get_json()
            assert told["role"] == role, value


# --- what an issuer's users were given ends with it


def test_keys_and_sessions_end_with_their_issuer(house: House, trusted: dict[str, str], issuer: Issuer) -> None:
    # given
    admins = {"jwks_role_claim": "role", "jwks_admin_values": "admin"}
    site = house(**trusted, **admins)
    key = made_key(outsider(site, issuer, "ann"))
    by_key = made_key(made_key(outsider(site, issuer, "ann"), scopes=["keys:write", "assets:read"]))
    admins_key = made_key(outsider(site, issuer, "root", role="admin"), role="admin")
    local = made_key(site.as_user("ann"))
    everybody = (key, by_key, admins_key, local)
    assert [api.get("/assets").status_code for api in everybody] == [200] * 4

    # when the operator trusts nobody any more, or another issuer, or its admins no longer
    for settings, statuses in (
        ({}, [401, 401, 401, 200]),
        ({**trusted, "jwks_issuer": "https://other.example/"}, [401, 401, 401, 200]),
        (trusted, [200, 200, 401, 200]),
        ({**trusted, **admins}, [200] * 4),
    ):
        again = house(**settings)
        answers = [Api(again.client, api.token).get("/assets") for api in everybody]
        # then
        assert [answer.status_code for answer in answers] == statuses
        for answer in answers:
            if answer.status_code == 401:
                is_problem(answer, 401, "auth.key_issuer")


def test_what_admins_were_given_ends_with_the_values_that_made_them_admins(
    house: House, trusted: dict[str, str], issuer: Issuer
) -> None:
    """Seen: a key made under other values stayed an admin's; only emptying the setting helped."""
    # given keys and sessions of admins by one group and by two, and a key made by such a key
    claim = {**trusted, "jwks_role_claim": "groups"}
    site = house(**claim, jwks_admin_values="old,media")
    by_old, by_both = (
        outsider(site, issuer, name, groups=groups) for name, groups in (("a", "old"), ("b", ["old", "media"]))
    )
    keys = [made_key(api, role="admin", scopes=["admin", "keys:write"]) for api in (by_old, by_both)]
    keys.append(made_key(keys[0], role="admin"))
    as_user = made_key(by_old)
    runtime = site.world.runtime
    cookies = [runtime.sessions.open(runtime.credentials.verify(api.token or ""), 600) for api in (by_old, by_both)]
    signed_in = runtime.sessions.find(cookies[0])
    assert signed_in is not None
    keys.append(Api(site.client, runtime.api_keys.create(signed_in, "CI", role="admin")[1]))

    for settings, holds in (
        ({"jwks_admin_values": "old,media"}, [True, True, True, True]),
        ({"jwks_admin_values": "media"}, [False, True, False, False]),
        ({"jwks_admin_values": "new"}, [False] * 4),
        ({"jwks_admin_values": "old,media", "jwks_role_claim": "roles"}, [False] * 4),
    ):
        # when
        again = house(**claim | settings)
        # then
        for key, held in zip(keys, holds, strict=True):
            answer = Api(again.client, key.token).get("/health")
            assert answer.status_code == (200 if held else 401), settings
            if not held:
                is_problem(answer, 401, "auth.key_issuer")
        found = [again.world.runtime.sessions.find(cookie) for cookie in cookies]
        assert [each is not None for each in found] == holds[:2]
        assert Api(again.client, as_user.token).get("/assets").status_code == 200


def test_an_operator_gives_people_their_older_names_back(
    house: House, trusted: dict[str, str], issuer: Issuer, tmp_path: Path
) -> None:
    # given what somebody had as `ann`, before it was noted where users come from
    file = tmp_path / "users.json"
    file.write_text(json.dumps({NAME: {"auth0|1": "ann"}, "https://other.example/": {"auth0|2": "ann"}}))
    linked = {**trusted, "jwks_users_file": str(file)}
    site = house(**linked)
    asset = site.published(owner="ann", visibility="private")

    # then the one who is named has it, and nobody else of the issuer
    them = outsider(site, issuer, "auth0|1")
    assert them.get("/session").get_json()["user"] == "ann"
    assert them.get(f"/assets/{asset.id}").status_code == 200
    for other in ("ann", "auth0|2", "AUTH0|1"):
        is_problem(outsider(site, issuer, other).get(f"/assets/{asset.id}"), 404)

    # and a name that only older versions took is taken where it has something
    odd = tmp_path / "odd.json"
    odd.write_text(json.dumps({NAME: {"1": "Ann B"}}))
    with pytest.raises(ConfigurationError, match="'Ann B' is no user name"):
        house(**trusted, jwks_users_file=str(odd))
    site.published(owner="Ann B")
    with_odd = house(**trusted, jwks_users_file=str(odd))
    assert outsider(with_odd, issuer, "1").get("/session").get_json()["user"] == "Ann B"

    # and their key ends with the line, as with the issuer
    key = made_key(them)
    assert key.get("/assets").status_code == 200
    for settings in (trusted, {**linked, "jwks_issuer": "https://other.example/"}, {}):
        is_problem(Api(house(**settings).client, key.token).get("/assets"), 401, "auth.key_issuer")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "line 1: Expecting value; the file must be a JSON object"),
        ('{"i":\n  {"1": "ann",}}', "line 2: .*; the file must be a JSON object"),
        (b'{"i":\n{"1": "\xff"}}', "line 2: the byte 0xff is no UTF-8; save"),
        ("[]", "must be a JSON object"),
        ("{}", "must be a JSON object"),
        ('{"i": ["ann"]}', "must be a JSON object"),
        ('{"i": {"0": "zoe",\n"1": 5}}', "line 2: the name of '1' is 5; write it in quotes"),
        ('{"i": {\n"1": "ann",\n"2": "ann"}}', r"line 3: 'ann' is '1' already \(line 2\); one of the two must go"),
        ('{"i": {"1": "ann",\n\n"1": "zoe"}}', "line 3: '1' stands there twice; leave one of the two out"),
        ('{"i": {"1": "i"},\n"i": {"2": "zoe"}}', "line 2: 'i' stands there twice"),
        ('{"j": {"1": "ann"},\n"i": {"1": "ann",\n"a\\u0000": "zoe"}}', r"line 3: 'a\\x00' can be no `sub`"),
        ('{"i": {"0": "zoe",\n"1": "admin"}}', "line 2: 'admin' is a name whom nobody from outside can be"),
        ('{"i": {"1": "~i.0123456789ab~x"}}', "line 1: '~i.*' is a name whom nobody from outside can be"),
        # Seen: all these were taken
        ('{"i": {"1": "Admin"}}', "line 1: 'Admin' is a name whom nobody from outside can be"),
        ('{"i": {"1": "admin "}}', "line 1: 'admin ' is no user name: it must have no spaces; correct it, or leave"),
        ('{"i": {"1": "a\\u0000"}}', r"'a\\x00' is no user name: U\+0000"),
        ('{"i": {"1": "a\\ud800"}}', r"'a\\ud800' is no user name: U\+D800"),
        ('{"i": {"1": "\u0430nn"}}', "it mixes letters of several scripts"),
        ('{"i": {"1": "Ann"}}', "nothing here belongs to 'Ann', and the name is written 'ann'; write it so"),
    ],
)
def test_a_file_of_older_names_that_makes_no_sense_stops_the_start(
    tmp_path: Path, content: str | bytes, sentence: str
) -> None:
    (tmp_path / "users.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    settings = Settings(jwks_url="https://i.example/k", jwks_issuer="i", jwks_users_file=str(tmp_path / "users.json"))
    with pytest.raises(ConfigurationError, match=sentence):
        outside_settings(settings)


# --- one name, one writing


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("admin", "admin"),
        ("Admin", "admin"),
        ("\uff21dmin", "admin"),
        ("zoe\u0308", "zo\u00eb"),
        ("ann.b@example.com", "ann.b@example.com"),
        ("\u03a3\u03b1\u03c2", "\u03c3\u03b1\u03c2"),
        ("\u7530\u4e2dtaro", "\u7530\u4e2dtaro"),
        ("\u0441\u0430\u0440\u0430", "\u0441\u0430\u0440\u0430"),
        # no new people
        ("admin ", None),
        (" admin", None),
        ("ad\u00admin", None),
        ("admin\u200b", None),
        ("adm\u200din", None),
        ("\u202eadmin", None),
        ("\u0430dmin", None),
        ("\u03b1dmin", None),
        ("\u0430nn", None),
        ("adm\u0131n", None),
        ("\u1d00\u1d05\u1d0d\u026a\u0274", None),
        ("ann b", None),
        ("\u2167", None),
        ("ann\u0661", None),
        ("~ann", None),
        ("\uff5eann", None),
        ("", None),
        ("a\n", None),
    ],
)
def test_a_name_has_one_writing(house: House, written: str, name: str | None) -> None:
    """Seen: `admin ` and a Cyrillic look-alike were new people, whom others took for the admin."""
    site = house()
    token = site.world.runtime.tokens.mint(written, "user", 60, older=True)
    answer = Api(site.client, token).get("/session")
    if name is None:
        detail = is_problem(answer, 401, "auth.bad_token")["detail"]
        assert not written.isprintable() or "is no user name: " in detail or not written
        with pytest.raises(InvalidInput):
            Tokens(KEY.encode(), "mediaflow", "mediaflow").mint(written, "user", 60)
    else:
        assert answer.get_json()["user"] == local_name(name) == name


def test_a_name_of_another_script_that_reads_like_somebodys_is_refused(house: House) -> None:
    site, sara = house(), "\u0441\u0430\u0440\u0430"  # Cyrillic, which people may read as `capa`
    assert site.as_user(sara).get("/session").status_code == 200
    site.published(owner="capa")
    problem = is_problem(site.as_user(sara).get("/session"), 401, "auth.bad_token")
    assert "can be read as another name" in problem["detail"]
    assert "capa" not in problem["detail"]
    # who was there first stays
    site.published(owner=sara)
    assert site.as_user(sara).get("/session").get_json()["user"] == sara


def test_names_of_older_versions_go_on_where_they_have_something(house: House) -> None:
    site = house()
    odd = [Api(site.client, site.world.runtime.tokens.mint(name, "user", 60, older=True)) for name in ("Ann B", "Eve")]
    is_problem(odd[0].get("/session"), 401, "auth.bad_token")
    assert odd[1].get("/session").get_json()["user"] == "eve"
    assets = [site.published(owner="Ann B"), site.published(owner="zoe", shared_with=["Eve"])]
    for api, asset, name in zip(odd, assets, ("Ann B", "Eve"), strict=True):
        assert api.get("/session").get_json()["user"] == name
        assert api.get(f"/assets/{asset.id}").status_code == 200
