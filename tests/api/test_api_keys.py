"""API keys: shown once, never more than their maker, gone at once when revoked."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain.credentials import ApiKey
from mediaflow.domain.errors import InvalidInput
from mediaflow.observability.scrubbing import Scrubber
from mediaflow.services.access.api_keys import MAX_KEYS, USE_SECONDS
from mediaflow.services.access.principals import SCOPES, Principal
from tests.api.site import Api, Site, is_problem
from tests.services.world import make_world

KEY = re.compile(r"mfk_[0-9a-f]{32}_[A-Za-z0-9]{43}")
USERS_SCOPES = ["assets:read", "assets:write", "uploads:write"]
MAKER = ["assets:read", "keys:write"]
"""Of a key that may make keys, which no key may unless it is asked for."""


def made(maker: Api, **fields: Any) -> dict[str, Any]:
    answer = maker.call("POST", "/api-keys", json={"name": "CI"} | fields)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    document: dict[str, Any] = answer.get_json()
    return document


def with_key(api: Api, document: dict[str, Any]) -> Api:
    return Api(api.client, document["key"])


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


# --- making and using


def test_a_key_acts_as_its_maker(ann: Api, bob: Api) -> None:
    document = made(ann)
    assert KEY.fullmatch(document["key"])
    assert document["key"].split("_")[1] == document["id"]
    assert (document["owner"], document["role"], document["scopes"]) == ("ann", "user", USERS_SCOPES)
    machine = with_key(ann, document)
    upload = machine.announce()
    assert ann.get(f"/uploads/{upload['upload_id']}").status_code == 200
    assert bob.get(f"/uploads/{upload['upload_id']}").status_code == 404


def test_a_key_is_shown_once_and_kept_nowhere(site: Site, ann: Api) -> None:
    document = made(ann)
    secret = document["key"].rpartition("_")[2]
    listed = ann.get("/api-keys")
    assert listed.get_json()["items"] == [{name: value for name, value in document.items() if name != "key"}]
    assert secret not in repr(site.world.runtime.database.api_keys.find({}))
    for file in site.world.runtime.settings.data_path.glob("mediaflow.db*"):
        assert secret.encode() not in file.read_bytes()


def test_a_repeated_request_makes_another_key_and_its_answer_is_not_kept(site: Site, ann: Api) -> None:
    headers = {"Idempotency-Key": "the-same"}
    first, second = (ann.call("POST", "/api-keys", json={"name": "CI"}, headers=headers) for _ in range(2))
    assert first.get_json()["key"] != second.get_json()["key"]
    assert site.world.runtime.database.answers.find({}) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda key: key[:-1],
        lambda key: key + "A",
        lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"),
        lambda key: key.upper(),
        lambda key: key.swapcase(),
        lambda key: key.replace("mfk_", "MFK_"),
        lambda key: key.replace("_", "-"),
        lambda key: "mfk_" + "0" * 32 + key[36:],
        lambda key: key[:37],
        lambda key: key[4:],
        lambda key: f"{key}_{key}",
        lambda key: "mfk_",
    ],
)
def test_what_is_not_quite_a_key_opens_nothing(ann: Api, spoil: Any) -> None:
    document = made(ann)
    is_problem(Api(ann.client, spoil(document["key"])).get("/assets"), 401, "auth.bad_token")
    assert with_key(ann, document).get("/assets").status_code == 200


@pytest.mark.parametrize("bound", [{"expires_in_seconds": 86_400}, {"expires_at": in_seconds(86_400)}])
def test_a_key_ends_when_it_was_made_to(site: Site, ann: Api, bound: dict[str, Any]) -> None:
    document = made(ann, **bound)
    assert with_key(ann, document).get("/assets").status_code == 200
    ends = datetime.fromisoformat(document["expires_at"])
    assert timedelta(hours=23) < ends - datetime.now(UTC) <= timedelta(hours=24)
    site.world.runtime.database.api_keys.change(document["id"], {}, {"expires_at": 1.0})
    is_problem(with_key(ann, document).get("/assets"), 401, "auth.key_expired")


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": 5}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"role": "root"}, "/role"),
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["everything"]}, "/scopes/0"),
        ({"scopes": "assets:read"}, "/scopes"),
        ({"scopes": ["admin"]}, "/scopes"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "2050-01-01T00:00:00"}, "/expires_at"),
        ({"expires_at": "2050-13-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-12:00"}, "/expires_at"),
        ({"expires_at": 5}, "/expires_at"),
        ({"expires_in_seconds": 0}, "/expires_in_seconds"),
        ({"expires_in_seconds": 1e300}, "/expires_in_seconds"),
        ({"expires_in_seconds": 10**40}, "/expires_in_seconds"),
        ({"expires_in_seconds": 60, "expires_at": in_seconds(60)}, "/expires_in_seconds"),
        ({"owner": "bob"}, "/owner"),
        ({"secret_hash": "0"}, "/secret_hash"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused_with_the_place(ann: Api, fields: dict[str, Any], pointer: str) -> None:
    answer = ann.call("POST", "/api-keys", json={"name": "CI"} | fields)
    assert pointer in [error["pointer"] for error in is_problem(answer, 422)["errors"]]
    assert ann.get("/api-keys").get_json()["total"] == 0


def test_there_is_an_end_to_how_many_keys_somebody_has(site: Site, ann: Api, bob: Api) -> None:
    for _ in range(MAX_KEYS):
        last = site.world.runtime.api_keys.create(site.world.runtime.credentials.verify(ann.token or ""), "CI")[0]
    is_problem(ann.call("POST", "/api-keys", json={"name": "CI"}), 409, "limit.api_keys")
    made(bob)
    ann.call("DELETE", f"/api-keys/{last.id}")
    made(ann)


# --- never more than its maker


def test_a_limited_key_opens_its_scopes_only(ann: Api) -> None:
    machine = with_key(ann, made(ann, scopes=["uploads:write"]))
    machine.announce()
    is_problem(machine.get("/assets"), 403, "auth.scope")
    is_problem(machine.call("POST", "/api-keys", json={"name": "CI"}), 403, "auth.scope")


@pytest.mark.parametrize("scope", ["assets:read", "uploads:write"])
def test_a_limited_maker_makes_limited_keys(site: Site, ann: Api, scope: str) -> None:
    maker = Api(ann.client, site.world.runtime.tokens.mint("ann", "user", 600, ["assets:write", "keys:write"]))
    is_problem(maker.call("POST", "/api-keys", json={"name": "CI", "scopes": [scope]}), 403, "auth.scope")
    assert made(maker)["scopes"] == ["assets:write"]
    machine = with_key(ann, made(maker, scopes=["assets:write", "keys:write"]))
    is_problem(machine.call("POST", "/api-keys", json={"name": "CI", "scopes": [scope]}), 403, "auth.scope")
    assert made(machine)["scopes"] == ["assets:write"]


def test_a_key_makes_and_ends_keys_only_when_it_was_made_to(site: Site, ann: Api, admin: Api) -> None:
    """Seen: a key of a machine made itself another one, for ever, and revoked those of its owner."""
    other = made(ann)
    powerful = with_key(admin, made(admin, role="admin"))
    for machine in (with_key(ann, made(ann)), with_key(ann, made(ann, scopes=USERS_SCOPES)), powerful):
        for method, path in (("POST", ""), ("DELETE", f"/{other['id']}"), ("DELETE", "")):
            body = {"json": {"name": "CI"}} if method == "POST" else {}
            detail = is_problem(machine.call(method, f"/api-keys{path}", **body), 403, "auth.scope")["detail"]
            assert "keys:write" in detail
    limited = Api(ann.client, site.world.runtime.tokens.mint("ann", "user", 600, USERS_SCOPES))
    is_problem(limited.call("POST", "/api-keys", json={"name": "CI"}), 403, "auth.scope")
    alone = Api(ann.client, site.world.runtime.tokens.mint("ann", "user", 600, ["keys:write"]))
    is_problem(alone.call("POST", "/api-keys", json={"name": "CI"}), 422)
    assert made(with_key(ann, made(ann, scopes=MAKER)))["scopes"] == ["assets:read"]
    assert with_key(ann, other).get("/assets").status_code == 200


# --- every key ends

DAY = 86_400


def test_no_key_is_for_ever(site: Site, ann: Api) -> None:
    """Seen: a token of 40 seconds made a key that never ended."""
    runtime = site.world.runtime
    short = Api(ann.client, runtime.tokens.mint("ann", "user", 40))
    assert lasts(made(short)) == pytest.approx(90 * DAY, abs=60)
    assert lasts(made(short, expires_in_seconds=366 * DAY)) == pytest.approx(366 * DAY, abs=60)
    for fields in ({"expires_in_seconds": 366 * DAY + 60}, {"expires_at": in_seconds(367 * DAY)}):
        answer = short.call("POST", "/api-keys", json={"name": "CI"} | fields)
        assert [error["pointer"] for error in is_problem(answer, 422)["errors"]] == [f"/{name}" for name in fields]
    # one that is there already without an end, or with a late one, has one too
    for end in (None, 9e9):
        document = made(ann)
        runtime.database.api_keys.change(document["id"], {}, {"expires_at": end})
        (listed,) = [key for key in ann.get("/api-keys").get_json()["items"] if key["id"] == document["id"]]
        assert lasts(listed) == pytest.approx(366 * DAY, abs=1)
        assert with_key(ann, document).get("/assets").status_code == 200
        runtime.database.api_keys.change(document["id"], {}, {"created_at": runtime.database.now() - 366 * DAY})
        is_problem(with_key(ann, document).get("/assets"), 401, "auth.key_expired")


def test_the_lives_of_keys_are_settings(tmp_path: Path) -> None:
    world = make_world(tmp_path, api_key_seconds=str(7 * DAY), api_key_max_seconds=str(3 * DAY))
    keys, ann = world.runtime.api_keys, Principal("ann", "user")
    key = keys.create(ann, "CI")[0]
    assert keys.end_of(key) == pytest.approx(key.created_at + 3 * DAY)
    with pytest.raises(InvalidInput, match="at most 259200 s"):
        keys.create(ann, "CI", expires_in_seconds=4 * DAY)
    world.runtime.close()


def lasts(document: dict[str, Any]) -> float:
    begin, end = (datetime.fromisoformat(document[name]) for name in ("created_at", "expires_at"))
    return (end - begin).total_seconds()


def test_a_user_makes_no_admins(ann: Api, admin: Api) -> None:
    is_problem(ann.call("POST", "/api-keys", json={"name": "CI", "role": "admin"}), 403, "auth.role")
    plain, powerful = made(admin), made(admin, role="admin")
    assert (plain["role"], plain["scopes"]) == ("user", USERS_SCOPES)
    assert (powerful["role"], powerful["scopes"]) == (
        "admin",
        [scope for scope in SCOPES if scope not in ("originals:read", "keys:write")],
    )
    machine = with_key(admin, made(admin, scopes=MAKER))
    is_problem(machine.call("POST", "/api-keys", json={"name": "CI", "role": "admin"}), 403, "auth.role")
    assert with_key(admin, powerful).get("/api-keys?all=true").status_code == 200
    is_problem(machine.get("/api-keys?all=true"), 403, "auth.role")


def test_a_key_makes_none_that_outlives_it(ann: Api) -> None:
    short = made(ann, expires_in_seconds=600, scopes=MAKER)
    machine = with_key(ann, short)
    assert made(machine)["expires_at"] == short["expires_at"]
    assert made(machine, expires_in_seconds=60)["expires_at"] < short["expires_at"]
    longer = machine.call("POST", "/api-keys", json={"name": "CI", "expires_in_seconds": 700})
    is_problem(longer, 403, "auth.key_too_long")
    assert made(with_key(ann, made(ann, scopes=MAKER)), expires_in_seconds=700)


# --- revoking


def test_a_revoked_key_opens_nothing_from_then_on(ann: Api, bob: Api) -> None:
    document = made(ann)
    machine = with_key(ann, document)
    is_problem(bob.call("DELETE", f"/api-keys/{document['id']}"), 404)
    assert machine.get("/assets").status_code == 200
    assert ann.call("DELETE", f"/api-keys/{document['id']}").status_code == 204
    is_problem(machine.get("/assets"), 401, "auth.key_revoked")
    (listed,) = ann.get("/api-keys").get_json()["items"]
    assert ann.call("DELETE", f"/api-keys/{document['id']}").status_code == 204
    assert ann.get("/api-keys").get_json()["items"] == [listed]
    assert listed["revoked_at"] is not None


def test_what_a_key_made_ends_with_it(ann: Api) -> None:
    first, other = made(ann, scopes=MAKER), made(ann)
    second = made(with_key(ann, first), scopes=MAKER)
    third = made(with_key(ann, second))
    assert ann.call("DELETE", f"/api-keys/{second['id']}").status_code == 204
    is_problem(with_key(ann, third).get("/assets"), 401, "auth.key_revoked")
    assert with_key(ann, first).get("/assets").status_code == 200
    fourth = made(with_key(ann, first))

    assert ann.call("DELETE", f"/api-keys/{first['id']}").status_code == 204
    is_problem(with_key(ann, fourth).get("/assets"), 401, "auth.key_revoked")
    assert with_key(ann, other).get("/assets").status_code == 200


def test_a_key_that_is_revoked_while_it_makes_one_makes_none(
    site: Site, ann: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = made(ann, scopes=MAKER)
    database = site.world.runtime.database
    insert = database.api_keys.insert

    def late(key: ApiKey) -> bool:
        assert ann.call("DELETE", f"/api-keys/{taken['id']}").status_code == 204
        return insert(key)

    monkeypatch.setattr(database.api_keys, "insert", late)
    is_problem(with_key(ann, taken).call("POST", "/api-keys", json={"name": "CI"}), 401, "auth.key_revoked")
    assert database.api_keys.count({"owner": "ann", "revoked_at": None}) == 0


def test_an_admin_sees_and_revokes_everybodys(ann: Api, bob: Api, admin: Api) -> None:
    anns, bobs = made(ann), made(bob)
    assert [key["id"] for key in admin.get("/api-keys?owner=ann").get_json()["items"]] == [anns["id"]]
    assert {key["id"] for key in admin.get("/api-keys?all=true").get_json()["items"]} == {anns["id"], bobs["id"]}
    assert admin.get("/api-keys").get_json()["items"] == []
    assert ann.get("/api-keys?owner=ann").status_code == 200
    is_problem(ann.get("/api-keys?owner=bob"), 403, "auth.role")
    is_problem(ann.get("/api-keys?all=true"), 403, "auth.role")
    is_problem(admin.get("/api-keys?all=true&owner=ann"), 422)
    assert admin.call("DELETE", f"/api-keys/{anns['id']}").status_code == 204
    is_problem(with_key(ann, anns).get("/assets"), 401, "auth.key_revoked")


def test_all_keys_of_somebody_are_revoked_at_once(ann: Api, bob: Api, admin: Api) -> None:
    anns = [made(ann, scopes=MAKER), made(ann)]
    anns.append(made(with_key(ann, anns[0])))
    bobs = [made(bob), made(bob)]
    is_problem(bob.call("DELETE", "/api-keys?user=ann"), 403, "auth.role")
    assert ann.call("DELETE", "/api-keys").get_json() == {"revoked": 3}
    assert ann.call("DELETE", "/api-keys").get_json() == {"revoked": 0}
    for document in anns:
        is_problem(with_key(ann, document).get("/assets"), 401, "auth.key_revoked")
    assert with_key(bob, bobs[0]).get("/assets").status_code == 200
    assert admin.call("DELETE", "/api-keys?user=bob").get_json() == {"revoked": 2}
    is_problem(with_key(bob, bobs[0]).get("/assets"), 401, "auth.key_revoked")


def test_keys_are_listed_newest_first_by_pages(ann: Api) -> None:
    ids = [made(ann, name=f"key {number}")["id"] for number in range(5)]
    pages = [ann.get(f"/api-keys?page={page}&page_size=2").get_json() for page in (1, 2, 3)]
    assert [key["id"] for page in pages for key in page["items"]] == ids[::-1]
    assert {(page["total"], page["pages"]) for page in pages} == {(5, 3)}


# --- traces


def test_a_use_is_noted_once_a_minute(site: Site, ann: Api) -> None:
    # given
    keys, document = site.world.runtime.database.api_keys, made(ann)
    machine = with_key(ann, document)

    def noted() -> tuple[float | None, int]:
        key = keys.get(document["id"])
        assert key is not None
        return key.last_used_at, key.rev

    # when it is used, then used again
    assert noted() == (None, 1)
    machine.get("/assets")
    first = noted()
    machine.get("/assets")

    # then
    assert noted() == first
    assert first[0] is not None
    keys.change(document["id"], {}, {"last_used_at": first[0] - USE_SECONDS - 1})
    machine.get("/assets")
    assert noted()[0] != first[0] - USE_SECONDS - 1


def test_a_key_opens_no_session(ann: Api) -> None:
    document = made(ann)
    browser = ann.client.application.test_client()
    answer = browser.post("/api/v1/session", json={"token": document["key"]})
    assert "no session" in is_problem(answer, 401, "auth.bad_token")["detail"]
    assert "Set-Cookie" not in answer.headers


def test_a_key_reaches_no_log(ann: Api) -> None:
    document = made(ann)
    line = Scrubber().text(f"called with {document['key']} and token={document['key']}")
    assert document["key"].rpartition("_")[2] not in line
    assert document["id"] in line
