"""Captions and pictures over HTTP: what is taken, what is refused and how, what the asset tells of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mediaflow.app import create_app
from mediaflow.testing import clips
from tests.api.site import Api, Site, is_problem
from tests.services.records import a_published_asset
from tests.services.working import ingest, work, working_world

WEBVTT = b"WEBVTT\n\n00:00.500 --> 00:01.000\nHello\n"
SUBRIP = b"1\n00:00:00,500 --> 00:00:01,000\nHello\n"
VTT = {"Content-Type": "text/vtt"}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An application whose world really works."""
    with working_world(tmp_path_factory.mktemp("studio")) as world:
        app = create_app(world.runtime.settings, world.runtime)
        yield Site(world, app.test_client(use_cookies=False))


@pytest.fixture(scope="module")
def asset_id(studio: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A real published asset of ann's."""
    found = ingest(studio.world, clips.make_clip(tmp_path_factory.mktemp("clip") / "c.mp4", seconds=1.0))
    work(studio.world)
    return found


def test_captions_are_put_listed_streamed_replaced_and_deleted(studio: Site, asset_id: str) -> None:
    ann, path = studio.as_user("ann"), f"/assets/{asset_id}/captions"
    assert ann.get(path).get_json() == {"items": []}

    created = ann.call("PUT", f"{path}/EN?default=true", data=WEBVTT, headers=VTT)
    assert created.status_code == 201
    caption = created.get_json()
    assert {name: caption[name] for name in ("language", "label", "default", "size_bytes")} == {
        "language": "en",
        "label": "English",
        "default": True,
        "size_bytes": 44,
    }
    stream = studio.client.get(caption["url"].removeprefix("http://localhost"))
    assert stream.status_code == 200
    assert stream.content_type == "text/vtt; charset=utf-8"
    assert b"X-TIMESTAMP-MAP=MPEGTS:90000" in stream.data
    assert stream.headers["X-Content-Type-Options"] == "nosniff"

    replaced = ann.call("PUT", f"{path}/en?label=Plain", data=SUBRIP, headers={"Content-Type": "application/x-subrip"})
    assert replaced.status_code == 200
    assert (replaced.get_json()["label"], replaced.get_json()["default"]) == ("Plain", False)
    assert ann.get(path).get_json() == {"items": [replaced.get_json()]}
    assert ann.get(f"/assets/{asset_id}").get_json()["captions"] == [replaced.get_json()]
    assert studio.client.get(caption["url"].removeprefix("http://localhost")).status_code == 200, "it still plays"

    assert ann.call("DELETE", f"{path}/En").status_code == 204
    assert ann.get(path).get_json() == {"items": []}
    is_problem(ann.call("DELETE", f"{path}/en"), 404, "captions.not_found")
    is_problem(ann.call("DELETE", f"{path}/no_language"), 404, "captions.not_found")


def test_captions_of_what_is_not_published_have_no_address_yet(site: Site, ann: Api) -> None:
    upload = ann.announce()

    answer = ann.call("PUT", f"/assets/{upload['asset_id']}/captions/de", data=WEBVTT, headers=VTT)

    assert answer.status_code == 201
    assert (answer.get_json()["label"], answer.get_json()["url"]) == ("Deutsch", None)


@pytest.mark.parametrize(
    ("language", "query", "data", "headers", "status", "code", "sentence"),
    [
        ("en", "", b"WEBVTT\n\nHello\n", VTT, 422, "captions.invalid", "Line 3: a cue needs its times"),
        ("en", "", b"", VTT, 422, "captions.invalid", "Line 1"),
        ("en", "", b"\xff\xd8\xff\xe0", VTT, 422, "captions.invalid", "Line 1: this is not UTF-8"),
        ("en_US", "", WEBVTT, VTT, 422, "captions.bad_language", "such as `en`, `pt-BR`"),
        ("klingon", "", WEBVTT, VTT, 422, "captions.bad_language", "'klingon'"),
        ("en", "default=1", WEBVTT, VTT, 422, "request.invalid", "/default: must be true or false"),
        ("en", "name=x", WEBVTT, VTT, 422, "request.invalid", "/name: is not known here"),
        ("en", f"label={'x' * 101}", WEBVTT, VTT, 422, "request.invalid", "at most 100 characters"),
        ("en", "", WEBVTT, {"Content-Type": "application/json"}, 415, "request.media_type", "text/vtt"),
        ("en", "", WEBVTT, {}, 415, "request.media_type", "application/x-subrip"),
        ("en", "", WEBVTT + b"\n" * 2**21, VTT, 413, "limit.too_large", "524288 bytes"),
    ],
)
def test_what_is_wrong_is_said(
    site: Site, ann: Api, language: str, query: str, data: bytes, headers: dict[str, str], status: int, code: str,
    sentence: str,
) -> None:  # fmt: skip
    asset = site.published()

    answer = ann.call("PUT", f"/assets/{asset.id}/captions/{language}?{query}", data=data, headers=headers)

    assert sentence in is_problem(answer, status, code)["detail"]
    assert ann.get(f"/assets/{asset.id}/captions").get_json() == {"items": []}


def test_others_get_404_and_those_who_share_may_look(site: Site, ann: Api, bob: Api, admin: Api) -> None:
    asset = site.published(shared_with=["carol"])
    carol, path = site.as_user("carol"), f"/assets/{asset.id}/captions"
    assert admin.call("PUT", f"{path}/en", data=WEBVTT, headers=VTT).status_code == 201
    assert len(carol.get(path).get_json()["items"]) == 1
    is_problem(bob.get(path), 404)
    for someone, status in ((bob, 404), (carol, 403)):
        is_problem(someone.call("PUT", f"{path}/en", data=WEBVTT, headers=VTT), status)
        is_problem(someone.call("DELETE", f"{path}/en"), status)
        is_problem(someone.call("PUT", f"/assets/{asset.id}/poster", json={"time_seconds": 1}), status)
        is_problem(someone.call("DELETE", f"/assets/{asset.id}/poster"), status)


def test_a_picture_is_chosen_and_taken_back(studio: Site, asset_id: str) -> None:
    ann = studio.as_user("ann")
    before = ann.get(f"/assets/{asset_id}").get_json()
    assert before["poster_seconds"] is None

    chosen = ann.call("PUT", f"/assets/{asset_id}/poster", json={"time_seconds": 0.5})
    assert chosen.status_code == 202
    assert chosen.get_json()["poster_seconds"] == 0.5
    assert chosen.headers["ETag"] == f'"{asset_rev(studio, asset_id)}"'
    work(studio.world)
    after = ann.get(f"/assets/{asset_id}").get_json()
    assert "/poster-" in after["thumbnail_url"]
    assert studio.client.get(after["thumbnail_url"].removeprefix("http://localhost")).mimetype == "image/jpeg"

    assert ann.call("DELETE", f"/assets/{asset_id}/poster").status_code == 202
    work(studio.world)
    assert ann.get(f"/assets/{asset_id}").get_json()["poster_seconds"] is None


def asset_rev(site: Site, asset_id: str) -> int:
    asset = site.world.runtime.database.assets.get(asset_id)
    assert asset is not None
    return asset.metadata_rev


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"time_seconds": 1.5}, "/time_seconds: must be 0 to 1, the video's duration in seconds, not 1.5"),
        ({"time_seconds": -0.1}, "/time_seconds: must be 0 to 86400"),
        ({"time_seconds": "1"}, "/time_seconds: must be a number of seconds"),
        ({"time_seconds": True}, "/time_seconds: must be a number of seconds"),
        ({"time_seconds": None}, "/time_seconds: must not be null"),
        ({}, "/time_seconds: is required"),
        ({"time_seconds": 1, "x": 1}, "/x: is not known here"),
    ],
)
def test_a_bad_time_is_refused(studio: Site, asset_id: str, body: dict[str, object], detail: str) -> None:
    answer = studio.as_user("ann").call("PUT", f"/assets/{asset_id}/poster", json=body)

    assert is_problem(answer, 422)["detail"] == detail


@pytest.mark.parametrize("number", ["1e999", "NaN", "-Infinity", "1" + "0" * 400])
def test_no_number_is_too_strange(studio: Site, asset_id: str, number: str) -> None:
    answer = studio.as_user("ann").call(
        "PUT",
        f"/assets/{asset_id}/poster",
        data=f'{{"time_seconds": {number}}}',
        headers={"Content-Type": "application/json"},
    )

    is_problem(answer, answer.status_code)
    assert answer.status_code in (400, 422)


def test_without_anything_published_there_is_no_picture_to_choose(site: Site, ann: Api) -> None:
    upload = ann.announce()
    answer = ann.call("PUT", f"/assets/{upload['asset_id']}/poster", json={"time_seconds": 1})
    is_problem(answer, 409, "asset.not_ready")
    gone = a_published_asset()
    site.world.runtime.database.assets.insert(gone)
    is_problem(ann.call("PUT", f"/assets/{gone.id}/poster", json={"time_seconds": 1}), 409)
