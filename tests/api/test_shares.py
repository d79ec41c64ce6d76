"""Private assets that are shared: who may look, who may change, and what ends when somebody is taken off."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mediaflow.domain.records import Asset
from mediaflow.services.access.outside import outside_id
from tests.api.site import Api, Site, is_problem


@pytest.fixture
def asset(site: Site) -> Asset:
    return site.published(filename="my holiday with X.mov", sha256="ab" * 32, job_id="cd" * 16)


def share(api: Api, asset: Asset, *users: str) -> list[str]:
    answer = api.call("PUT", f"/assets/{asset.id}/shares", json={"users": list(users)})
    assert answer.status_code == 200, answer.text
    names: list[str] = answer.get_json()["users"]
    assert api.get(f"/assets/{asset.id}/shares").get_json() == {"users": names}
    return names


def playing(api: Api, asset: Asset) -> str:
    answer = api.call("POST", f"/assets/{asset.id}/playback")
    assert answer.status_code == 200, answer.text
    url: str = answer.get_json()["hls_url"]
    return url.removeprefix("http://localhost")


def test_a_private_asset_opens_for_those_whom_it_is_shared_with(
    site: Site, ann: Api, bob: Api, stranger: Api, asset: Asset
) -> None:
    # given
    is_problem(bob.get(f"/assets/{asset.id}"), 404)
    is_problem(bob.call("POST", f"/assets/{asset.id}/playback"), 404)

    # when
    assert share(ann, asset, "carol", "bob") == ["bob", "carol"]

    # then
    assert bob.get(f"/assets/{asset.id}").status_code == 200
    assert site.client.get(playing(bob, asset)).status_code == 200
    is_problem(site.as_user("dave").get(f"/assets/{asset.id}"), 404)
    is_problem(stranger.call("POST", f"/assets/{asset.id}/playback"), 404)


def test_what_only_tells_of_the_original_is_not_shared(ann: Api, bob: Api, asset: Asset) -> None:
    share(ann, asset, "bob")
    mine, theirs = (api.get(f"/assets/{asset.id}").get_json() for api in (ann, bob))
    assert (mine["filename"], mine["sha256"]) == ("my holiday with X.mov", "ab" * 32)
    assert mine["links"]["upload"]
    assert mine["links"]["job"]
    assert (theirs["filename"], theirs["sha256"]) == (None, None)
    assert (theirs["links"]["upload"], theirs["links"]["job"]) == (None, None)
    assert theirs["title"] == mine["title"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "", {"title": "Mine now"}),
        ("PATCH", "", {"visibility": "public"}),
        ("DELETE", "", None),
        ("POST", "/restore", None),
        ("GET", "/shares", None),
        ("PUT", "/shares", {"users": ["bob", "eve"]}),
        ("POST", "/revoke-playback", None),
    ],
)
def test_who_may_look_may_not_change(
    site: Site, ann: Api, bob: Api, asset: Asset, method: str, path: str, body: Any
) -> None:
    share(ann, asset, "bob")
    before = site.world.runtime.database.assets.get(asset.id)
    is_problem(bob.call(method, f"/assets/{asset.id}{path}", json=body), 403, "asset.not_yours")
    assert site.world.runtime.database.assets.get(asset.id) == before
    is_problem(site.as_user("dave").call(method, f"/assets/{asset.id}{path}", json=body), 404)


def test_an_admin_shares_for_others(admin: Api, bob: Api, asset: Asset) -> None:
    share(admin, asset, "bob")
    assert bob.get(f"/assets/{asset.id}").status_code == 200


def test_taking_somebody_off_ends_what_they_were_given(site: Site, ann: Api, bob: Api, asset: Asset) -> None:
    # given
    share(ann, asset, "bob", "carol")
    given = playing(bob, asset)
    assert site.client.get(given).status_code == 200

    # when
    share(ann, asset, "carol")

    # then
    is_problem(site.client.get(given), 404)
    is_problem(bob.get(f"/assets/{asset.id}"), 404)
    is_problem(bob.call("POST", f"/assets/{asset.id}/playback"), 404)
    assert site.client.get(playing(site.as_user("carol"), asset)).status_code == 200


def test_adding_somebody_ends_nothing(site: Site, ann: Api, asset: Asset) -> None:
    share(ann, asset, "bob")
    given = playing(ann, asset)
    share(ann, asset, "bob", "carol")
    share(ann, asset, "carol", "bob", "bob", "ann")
    assert site.client.get(given).status_code == 200


def test_a_deleted_asset_is_nobodys_whom_it_was_shared_with(ann: Api, bob: Api, asset: Asset) -> None:
    share(ann, asset, "bob")
    ann.call("DELETE", f"/assets/{asset.id}")
    is_problem(bob.get(f"/assets/{asset.id}"), 404)
    is_problem(bob.call("POST", f"/assets/{asset.id}/restore"), 404)
    is_problem(ann.get(f"/assets/{asset.id}/shares"), 404)


@pytest.mark.parametrize(
    ("users", "pointer"),
    [
        ([""], "/users/0"),
        (["bob", "x" * 201], "/users/1"),
        (["bob", "a\nb"], "/users/1"),
        (["\ud800"], "/users/0"),
        ([5], "/users/0"),
        ([None], "/users/0"),
        ("bob", "/users"),
        (None, "/users"),
        ([f"user{number}" for number in range(101)], "/users"),
    ],
)
def test_a_list_that_makes_no_sense_changes_nothing(ann: Api, asset: Asset, users: Any, pointer: str) -> None:
    share(ann, asset, "bob")
    answer = ann.call("PUT", f"/assets/{asset.id}/shares", json={"users": users})
    assert pointer in [error["pointer"] for error in is_problem(answer, 422)["errors"]]
    assert ann.get(f"/assets/{asset.id}/shares").get_json() == {"users": ["bob"]}


def test_names_are_kept_in_their_one_writing(site: Site, ann: Api, asset: Asset) -> None:
    outsider = outside_id("https://issuer.example", "Bob")
    names = ["Carol", "bob@example.com", "Zoë", "zoe\u0308", "\uff45\uff56\uff45", outsider]
    assert share(ann, asset, *names) == sorted(["carol", "bob@example.com", "zoë", "eve", outsider])
    for name in ("carol", "CAROL", "zoë", "Eve"):
        assert site.as_user(name).get(f"/assets/{asset.id}").status_code == 200
    is_problem(site.as_user("bob").get(f"/assets/{asset.id}"), 404)
    for name in ("~bob", " bob", "b\u043eb", "\u200bbob", "adm\u0131n", "🎬", "~issuer.example.3207597b9bf0~"):
        answer = ann.call("PUT", f"/assets/{asset.id}/shares", json={"users": ["carol", name]})
        assert is_problem(answer, 422, "auth.bad_user")["errors"][0]["pointer"] == "/users/1"


def test_a_hundred_may_watch(ann: Api, asset: Asset) -> None:
    assert len(share(ann, asset, *(f"user{number}" for number in range(100)))) == 100


def test_changes_at_once_lose_nobody_s_end(site: Site, asset: Asset) -> None:
    """Whoever was in the list once and is not at the end can't use what they were given."""
    runtime = site.world.runtime
    owner = runtime.credentials.verify(site.as_user("ann").token or "")
    lists = [["bob"], ["bob", "carol"], ["carol"], []] * 4
    epoch = asset.acl_epoch
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda users: runtime.shares.replace(owner, asset.id, users), lists))
    last = runtime.database.assets.get(asset.id)
    assert last is not None
    assert last.shared_with in lists
    assert len(done) == len(lists)
    assert last.acl_epoch > epoch


@pytest.mark.parametrize("visibility", ["private", "unlisted", "public"])
def test_playback_can_be_revoked(site: Site, ann: Api, visibility: Any) -> None:
    asset = site.published(visibility=visibility)
    given = playing(ann, asset)
    for _ in range(2):
        assert ann.call("POST", f"/assets/{asset.id}/revoke-playback").status_code == 204
        is_problem(site.client.get(given), 404)
        given = playing(ann, asset)
    assert site.client.get(given).status_code == 200
